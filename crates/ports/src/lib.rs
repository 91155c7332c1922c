//! The seams: what the services need from the world, as small traits, with the types that cross them.
//!
//! * [`store`]: the database. Only it remembers (architecture §1.1).
//! * [`work`]: sessions between workers and schedulers: claims, grants, results, stops.
//! * [`bell`]: "pool P has work in shard S"; may be lost at any moment.
//! * [`files`]: file systems, asked as the submitting user.
//! * [`logs`]: what attempts printed.
//! * [`api`]: what a gateway asks of a scheduler.
//! * [`cluster`]: who is there and who owns what.
//! * [`election`]: what coordinators agree on.
//! * [`clock`]: the wall clock and chance, so that nothing above reads them by itself.
//! * [`crash`]: places where tests let a process die.
#![warn(missing_docs)]

pub mod api;
pub mod bell;
pub mod clock;
pub mod cluster;
pub mod crash;
pub mod election;
pub mod files;
pub mod logs;
pub mod store;
pub mod work;
