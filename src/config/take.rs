//! Takes values out of a tree and collects every problem on the way.

mod desk;
mod item;
mod table;

pub(super) use desk::Desk;
pub(super) use item::Item;
pub(super) use table::{Table, Variable};
