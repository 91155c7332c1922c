//! What an action gets from around it: defaults, the `<global>` section, the site (census §1.6, gotcha 9).
//!
//! | what | order, the later wins |
//! |---|---|
//! | properties | config-default, global, the action's `<launcher>`, the action's `<configuration>` |
//! | job-xml | global's first, unless the action lists the same text, then the action's |
//! | addresses | the action's, else global's, else the site's, else `E0701` |
//!
//! config-default does not reach sub-workflows; addresses are only required by actions that are launched on a cluster.

use std::borrow::Cow;

use model::{Configuration, Diagnostic, NodeName};
use roxmltree::Node as Element;

use super::nodes::child;
use super::{SiteDefaults, WorkflowSources};
use crate::configuration::{inline_configuration, read_configuration, write_properties};
use crate::findings::Findings;
use crate::substitution::substituted;
use crate::xml;

/// Names under which the parts of a global section that are no properties are handed on to children.
const HANDED_ON: &str = "howdah.global.";

/// What is around a definition, read.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    config_default: Configuration,
    inherited: Option<Global>,
    site: &'a SiteDefaults,
}

/// A `<global>` section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Global {
    name_node: Option<String>,
    resource_manager: Option<String>,
    job_xml: Vec<String>,
    configuration: Configuration,
}

/// What the actions of one definition get.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    config_default: &'a Configuration,
    global: Option<Global>,
    site: &'a SiteDefaults,
}

impl<'a> Surroundings<'a> {
    pub(super) fn of(sources: &WorkflowSources<'a>) -> Result<Surroundings<'a>, Vec<Diagnostic>> {
        let config_default =
            sources.config_default.map(substituted).transpose().map_err(|problem| vec![problem])?;
        let inherited = sources.inherited_global.map(read_configuration).transpose()?;
        Ok(Surroundings {
            config_default: config_default.unwrap_or_default(),
            inherited: inherited.map(Global::received),
            site: sources.site,
        })
    }

    /// The scope of a definition with this `<global>` section.
    pub(super) fn scope(&'a self, own: Option<Element<'_, '_>>) -> Scope<'a> {
        let global = match own {
            Some(element) => Some(Global::read(element, self.inherited.as_ref())),
            None => self.inherited.clone(),
        };
        Scope { config_default: &self.config_default, global, site: self.site }
    }
}

impl Global {
    /// A section, with what it inherits below it. Here, other than in actions, `<launcher>` wins over
    /// `<configuration>`.
    fn read(element: Element<'_, '_>, inherited: Option<&Global>) -> Global {
        let mut global = inherited.cloned().unwrap_or_default();
        if let Some(configuration) = child(element, "configuration") {
            global.configuration.overlay(&inline_configuration(configuration));
        }
        if let Some(launcher) = child(element, "launcher") {
            global.configuration.overlay(&launcher_properties(launcher));
        }
        let own = job_xml(element);
        global.job_xml.retain(|file| !own.contains(file));
        global.job_xml.extend(own);
        global.name_node = address(element, &["name-node"]).or(global.name_node);
        global.resource_manager =
            address(element, &["resource-manager", "job-tracker"]).or(global.resource_manager);
        global
    }

    /// As a configuration that a child can be given.
    fn handed_on(&self) -> Configuration {
        let mut all = self.configuration.clone();
        let files = self
            .job_xml
            .iter()
            .enumerate()
            .map(|(index, file)| (format!("job-xml.{index:04}"), file));
        let name_node = self.name_node.iter().map(|address| ("name-node".to_owned(), address));
        let manager =
            self.resource_manager.iter().map(|address| ("resource-manager".to_owned(), address));
        for (name, value) in name_node.chain(manager).chain(files) {
            all.set(format!("{HANDED_ON}{name}"), value);
        }
        all
    }

    /// From the configuration a child was given.
    fn received(mut all: Configuration) -> Global {
        let names: Vec<String> = all
            .iter()
            .map(|(name, _)| name)
            .filter(|name| name.starts_with(HANDED_ON))
            .map(str::to_owned)
            .collect();
        let mut global = Global::default();
        for name in names {
            let Some(value) = all.remove(&name) else { continue };
            match &name[HANDED_ON.len()..] {
                "name-node" => global.name_node = Some(value),
                "resource-manager" => global.resource_manager = Some(value),
                _ => global.job_xml.push(value),
            }
        }
        global.configuration = all;
        global
    }
}

/// Which address elements an action has, and whether it must.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Addresses {
    /// Launched on a cluster: both are required.
    Required,
    /// `sub-workflow`: both are added when known.
    Added,
    /// `fs`: only the name node, when known.
    NameNodeAdded,
    /// Neither; no configuration and no job-xml either.
    None,
}

fn addresses_of(kind: &str) -> Addresses {
    match kind {
        "sub-workflow" => Addresses::Added,
        "fs" => Addresses::NameNodeAdded,
        "map-reduce" | "pig" | "hive" | "hive2" | "java" | "shell" | "distcp" | "sqoop"
        | "spark" | "git" => Addresses::Required,
        _ => Addresses::None,
    }
}

impl Scope<'_> {
    /// What a sub-workflow with `<propagate-configuration/>` is given as its parent's global section.
    pub(super) fn to_hand_on(&self) -> Configuration {
        self.global.as_ref().map(Global::handed_on).unwrap_or_default()
    }

    /// The body of an action as text of its own, with everything that is around it merged in.
    pub(super) fn merged_body(
        &self,
        body: Element<'_, '_>,
        node: &NodeName,
        findings: &mut Findings<'_>,
    ) -> String {
        let kind = body.tag_name().name();
        let addresses = addresses_of(kind);
        if addresses == Addresses::None {
            return xml::copy_of(body);
        }
        let mut head = String::new();
        if addresses != Addresses::NameNodeAdded {
            self.add_resource_manager(&mut head, body, node, findings);
        }
        self.add_name_node(&mut head, body, node, findings);
        self.add_job_xml(&mut head, body);
        self.written(body, &head, &self.configuration_of(body, kind))
    }

    fn add_name_node(
        &self,
        head: &mut String,
        body: Element<'_, '_>,
        node: &NodeName,
        findings: &mut Findings<'_>,
    ) {
        if child(body, "name-node").is_some() {
            return;
        }
        let known = self
            .global
            .as_ref()
            .and_then(|global| global.name_node.as_ref())
            .or(self.site.name_node.as_ref());
        match known {
            Some(address) => xml::write_text(head, "name-node", address),
            None => lacks_address("name-node", body, node, findings),
        }
    }

    fn add_resource_manager(
        &self,
        head: &mut String,
        body: Element<'_, '_>,
        node: &NodeName,
        findings: &mut Findings<'_>,
    ) {
        if child(body, "resource-manager").or_else(|| child(body, "job-tracker")).is_some() {
            return;
        }
        let own = self.global.as_ref().and_then(|global| global.resource_manager.as_ref());
        match own.or(self.site.resource_manager.as_ref()) {
            Some(address) => xml::write_text(head, "resource-manager", address),
            None => lacks_address("resource-manager", body, node, findings),
        }
    }

    fn add_job_xml(&self, head: &mut String, body: Element<'_, '_>) {
        let own = job_xml(body);
        let global =
            self.global.as_ref().map(|global| global.job_xml.as_slice()).unwrap_or_default();
        global
            .iter()
            .filter(|file| !own.contains(file))
            .for_each(|file| xml::write_text(head, "job-xml", file));
    }

    fn configuration_of(&self, body: Element<'_, '_>, kind: &str) -> Configuration {
        let mut merged =
            if kind == "sub-workflow" { Configuration::new() } else { self.config_default.clone() };
        if let Some(global) = &self.global {
            merged.overlay(&global.configuration);
        }
        if let Some(launcher) = child(body, "launcher") {
            merged.overlay(&launcher_properties(launcher));
        }
        if let Some(configuration) = child(body, "configuration") {
            merged.overlay(&inline_configuration(configuration));
        }
        merged
    }

    /// The body with `head` in front and its configuration replaced, or added at the end.
    fn written(&self, body: Element<'_, '_>, head: &str, configuration: &Configuration) -> String {
        let mut out = String::new();
        xml::open_tag(&mut out, body, None);
        out.extend([">", head]);
        let old = child(body, "configuration");
        for element in body.children().filter(Element::is_element) {
            if Some(element) == old {
                write_block(&mut out, configuration);
            } else {
                xml::write_element(&mut out, element, body.tag_name().namespace());
            }
        }
        if old.is_none() {
            write_block(&mut out, configuration);
        }
        xml::close_tag(&mut out, body);
        out
    }
}

fn write_block(out: &mut String, configuration: &Configuration) {
    if !configuration.is_empty() {
        out.push_str("<configuration>");
        write_properties(out, configuration, "");
        out.push_str("</configuration>");
    }
}

/// Complains about an action that must have an address and has none anywhere.
fn lacks_address(name: &str, body: Element<'_, '_>, node: &NodeName, findings: &mut Findings<'_>) {
    if addresses_of(body.tag_name().name()) != Addresses::Required {
        return;
    }
    let message = format!(
        "action '{node}' has no <{name}>, and neither <global> nor the server's configuration has one"
    );
    let help = format!(
        "add <{name}> to the action or to <global>, or set oozie.actions.default.{name} for all"
    );
    let start = body.range().start;
    findings.error(
        crate::codes::SCHEMA,
        start..start + 1 + body.tag_name().name().len(),
        message,
        &help,
    );
}

fn address(element: Element<'_, '_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| child(element, name)).map(xml::trimmed_text_of)
}

fn job_xml(element: Element<'_, '_>) -> Vec<String> {
    let files = element
        .children()
        .filter(|child| child.is_element() && child.tag_name().name() == "job-xml");
    files.map(xml::trimmed_text_of).collect()
}

/// The settings of a `<launcher>` block as properties; the first of several elements of one name counts.
fn launcher_properties(launcher: Element<'_, '_>) -> Configuration {
    let mut properties = Configuration::new();
    for setting in launcher.children().filter(Element::is_element) {
        let name = launcher_property(setting.tag_name().name());
        if properties.get(&name).is_none() {
            properties.set(name, xml::trimmed_text_of(setting));
        }
    }
    properties
}

/// The property a launcher setting becomes; Oozie spells three of them its own way.
fn launcher_property(setting: &str) -> Cow<'static, str> {
    match setting {
        "java-opts" => "oozie.launcher.javaopts".into(),
        "view-acl" => "oozie.launcher.view.acl".into(),
        "modify-acl" => "oozie.launcher.modify.acl".into(),
        other => format!("oozie.launcher.{other}").into(),
    }
}
