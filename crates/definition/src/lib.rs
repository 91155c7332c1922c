//! Reading what people write: workflow definitions, configuration documents, properties files.
//!
//! | from | to | door |
//! |---|---|---|
//! | bytes of a file | text | [`decode`] |
//! | text of any definition | accepted or every mistake | [`validate_definition`], [`check_schema`] |
//! | `workflow.xml` and what is around it | [`model::WorkflowApp`] | [`read_workflow`] |
//! | an evaluated action body | [`model::ActionSpec`] | [`read_action`] |
//! | `<configuration>` | [`model::Configuration`] and back | [`read_configuration`], [`write_configuration`] |
//! | `job.properties` | [`model::Configuration`] | [`read_properties`] |
//! | `${name}` among properties | resolved | [`substituted`], [`trimmed`] |
//! | names that are not allowed | `E0808` | [`forbidden_in_job`], [`forbidden_in_defaults`], [`forbidden_in_child`] |
//!
//! **Invariants**
//! * Accepts what Oozie 5.2.1 accepts, refuses what it refuses, with its codes; says all mistakes of a stage at once, each
//!   with its place and what to do.
//! * Pure: no file is opened, nothing is looked up, the same text gives the same answer.
//! * No text makes it panic, recurse without bound, or take more than time linear in its length (times the number of
//!   findings, of which there are at most 100).
#![warn(missing_docs)]

mod action;
mod codes;
mod configuration;
mod findings;
mod nearest;
mod prescan;
mod properties;
mod schema;
mod source;
mod substitution;
mod workflow;
mod xml;

pub use action::read_action;
pub use configuration::{read_configuration, write_configuration};
pub use properties::read_properties;
pub use schema::{DefinitionKind, check_schema, validate_definition};
pub use source::{Limits, MAX_CONFIGURATION_BYTES, MAX_DEFINITION_BYTES, MAX_DEPTH, decode};
pub use substitution::{
    MAX_SUBSTITUTIONS, forbidden_in_child, forbidden_in_defaults, forbidden_in_job, substituted,
    trimmed,
};
pub use workflow::{
    ACTION_KINDS, MAX_NODE_NAME_CHARS, SiteDefaults, WorkflowSources, read_workflow,
};
