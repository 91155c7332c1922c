//! The commands that only Howdah has.

pub mod events;
pub mod explain;
pub mod logs;
pub mod node;
pub mod progress;
pub mod replay;
pub mod run;
pub mod settings;
pub mod standalone;
pub mod validate;
pub mod views;
