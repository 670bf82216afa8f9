//! Log lines on a screen, from the spool or from plain files, with one machinery: a thread of its
//! own ([`reader`]) holds a [`pager::Pager`] over a [`store::Store`], is asked by keys ([`ask`])
//! and publishes pages; [`draw`] makes rows of them. [`viewer`] is the screen for plain files,
//! [`lines`] the same without a screen.

pub mod ask;
pub mod draw;
pub mod lines;
pub mod moves;
pub mod pager;
pub mod reader;
pub mod scroll;
pub mod stack;
pub mod store;
pub mod viewer;
