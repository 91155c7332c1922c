//! A workflow definition becomes a [`WorkflowApp`]: schema, nodes, defaults and global merged in, graph checked.
//!
//! **Invariants**
//! * What Oozie's submit accepts is accepted, what it refuses is refused with Oozie's code; where Oozie stops at the
//!   first mistake, all mistakes of the same stage are told at once. Stages: text and schema; nodes; graph; forks.
//! * The cost is linear in the definition.

mod fork_join;
mod graph;
mod merge;
mod nodes;

use model::{Configuration, Diagnostic, WorkflowApp};

use crate::codes;
use crate::findings::Findings;
use crate::schema::{self, DefinitionKind};
use crate::source::{self, Limits};

pub use graph::MAX_NODE_NAME_CHARS;
pub use nodes::ACTION_KINDS;

/// Everything a workflow application is made of.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowSources<'a> {
    /// The text of `workflow.xml`.
    pub definition: &'a str,
    /// `config-default.xml` and the files of `oozie.default.configuration.path`, merged, if there are any.
    pub config_default: Option<&'a Configuration>,
    /// The job property `oozie.wf.globalconf`: the parent's `<global>` section, for a sub-workflow that it is
    /// propagated to. The parent made it with [`crate::write_configuration`] from [`WorkflowApp::global`].
    pub inherited_global: Option<&'a str>,
    /// Addresses the site gives to actions that name none.
    pub site: &'a SiteDefaults,
    /// Whether forks and joins must be paired: `oozie.validate.ForkJoin` of the site and `oozie.wf.validate.ForkJoin`
    /// of the job, both true by default.
    pub validate_fork_join: bool,
    /// What a definition may cost.
    pub limits: Limits,
}

/// The site's `oozie.actions.default.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteDefaults {
    /// `oozie.actions.default.name-node`.
    pub name_node: Option<String>,
    /// `oozie.actions.default.resource-manager`, or `oozie.actions.default.job-tracker`.
    pub resource_manager: Option<String>,
}

/// A site that gives no addresses.
static NO_DEFAULTS: SiteDefaults = SiteDefaults { name_node: None, resource_manager: None };

impl<'a> WorkflowSources<'a> {
    /// A definition with nothing around it, and Oozie's limits.
    pub fn of(definition: &'a str) -> WorkflowSources<'a> {
        let (site, limits) = (&NO_DEFAULTS, Limits::default());
        WorkflowSources {
            definition,
            config_default: None,
            inherited_global: None,
            site,
            validate_fork_join: true,
            limits,
        }
    }
}

/// Reads a workflow application.
///
/// # Errors
/// Every mistake of the first stage that has one: `E0701` (schema, missing addresses), `E0703`, `E0705` to `E0708`,
/// `E0723`, `E0724`, `E0730`, `E0733`, `E0736`, `E0737`, `E0739`, `E0742` to `E0744`, `E0757`, `E0758`, `E0700` for an
/// unreadable inherited section, `HW0003`, `HW0004`, and `HW0006` for defaults that name each other in a circle.
pub fn read_workflow(sources: WorkflowSources<'_>) -> Result<WorkflowApp, Vec<Diagnostic>> {
    let text = sources.definition;
    let document =
        source::parse(text, sources.limits, codes::SCHEMA).map_err(|refusal| vec![refusal])?;
    refuse(schema::check_document(&document, DefinitionKind::Workflow))?;
    let surroundings = merge::Surroundings::of(&sources)?;
    let mut findings = Findings::about(text);
    let draft = nodes::read(document.root_element(), &surroundings, &mut findings);
    refuse_found(&mut findings, text)?;
    graph::check(&draft, &mut findings);
    refuse_found(&mut findings, text)?;
    if sources.validate_fork_join {
        fork_join::check(&draft, &mut findings);
        refuse_found(&mut findings, text)?;
    }
    Ok(draft.app)
}

fn refuse(found: Vec<Diagnostic>) -> Result<(), Vec<Diagnostic>> {
    if found.is_empty() { Ok(()) } else { Err(found) }
}

fn refuse_found<'text>(
    findings: &mut Findings<'text>,
    text: &'text str,
) -> Result<(), Vec<Diagnostic>> {
    if findings.is_empty() {
        return Ok(());
    }
    Err(std::mem::replace(findings, Findings::about(text)).into_sorted())
}
