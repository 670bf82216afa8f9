//! The embedded stack: a small real service with a blue and a green version, a proxy, a database,
//! restore points and traffic, made of processes of our own program on loopback ports (S-09, S-80,
//! S-81). Everything of a stack lies in one folder; nothing outside it is touched.

pub mod answers;
pub mod app;
pub mod app_log;
pub mod children;
pub mod configuration;
pub mod damage;
pub mod database;
pub mod deploy;
pub mod disk;
pub mod down;
pub mod fault;
pub mod fault_switch;
pub mod fetch;
pub mod files;
pub mod http;
pub mod layout;
pub mod migrations;
pub mod passing;
pub mod pool;
pub mod proxy;
pub mod proxy_control;
pub mod proxy_hold;
pub mod restore_points;
pub mod role;
pub mod status;
pub mod traffic;
pub mod trouble;
pub mod up;
pub mod worker;
pub mod writes;

#[cfg(test)]
mod stage;

pub use down::down;
pub use fault::Fault;
pub use layout::{Color, Layout};
pub use role::{role, start_app};
pub use status::{Health, Instance, Status, status};
pub use trouble::{break_, heal};
pub use up::up;
