//! Configuration documents in Hadoop's form, read and written:
//! `<configuration><property><name>n</name><value>v</value></property></configuration>`.
//!
//! Read as Oozie reads them: names are trimmed and values are not, a property without a value or with an empty one is
//! no property at all, nested `<configuration>` elements are flattened, other fields (`final`, `description`, ...) are
//! ignored, a later property wins.

use model::{Configuration, Diagnostic};
use roxmltree::Node;

use crate::codes;
use crate::findings::Findings;
use crate::source::{self, Limits};
use crate::xml;

/// Reads a configuration document: the body of a submission, `config-default.xml`, a `job-xml` file.
///
/// # Errors
/// `E0700` for what is not XML or no configuration, and the findings about hostile XML.
pub fn read_configuration(text: &str) -> Result<Configuration, Vec<Diagnostic>> {
    let document = source::parse(text, Limits::configuration(), codes::XML)
        .map_err(|refusal| vec![refusal])?;
    let mut findings = Findings::about(text);
    let root = document.root_element();
    let mut configuration = Configuration::new();
    if root.tag_name().name() == "configuration" {
        read_into(&mut configuration, root, &mut findings);
    } else {
        let message = format!("<{}> is not a configuration", root.tag_name().name());
        findings.error(
            codes::XML,
            root.range(),
            message,
            "the document must begin with <configuration>",
        );
    }
    if findings.is_empty() { Ok(configuration) } else { Err(findings.into_sorted()) }
}

fn read_into(configuration: &mut Configuration, node: Node<'_, '_>, findings: &mut Findings<'_>) {
    for child in node.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "configuration" => read_into(configuration, child, findings),
            "property" => configuration.extend_with(property(child, str::to_owned)),
            other => {
                let message = format!("<{other}> can't be in <configuration>");
                findings.error(
                    codes::XML,
                    child.range(),
                    message,
                    "put a <name> and a <value> into a <property>",
                );
            }
        }
    }
}

/// Reads the `<configuration>` of an action, whose values are trimmed (Oozie pretty-prints it first).
pub(crate) fn inline_configuration(node: Node<'_, '_>) -> Configuration {
    let properties = node.children().filter(|child| child.has_tag_name_local("property"));
    properties.filter_map(|child| property(child, |value| value.trim().to_owned())).collect()
}

fn property(node: Node<'_, '_>, value_of: impl Fn(&str) -> String) -> Option<(String, String)> {
    let field = |name: &str| {
        node.children().rfind(|child| child.has_tag_name_local(name)).map(xml::text_of)
    };
    let name = field("name").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())?;
    let value = field("value").map(|value| value_of(&value)).filter(|value| !value.is_empty())?;
    Some((name, value))
}

/// Writes a configuration document, properties by name. [`read_configuration`] reads it back, except for empty values
/// and characters that XML can't hold.
pub fn write_configuration(configuration: &Configuration) -> String {
    let mut out = String::from("<configuration>\n");
    write_properties(&mut out, configuration, "\n");
    out.push_str("</configuration>\n");
    out
}

/// Writes the properties alone, each followed by `end`.
pub(crate) fn write_properties(out: &mut String, configuration: &Configuration, end: &str) {
    for (name, value) in configuration.iter() {
        out.push_str("<property>");
        xml::write_text(out, "name", name);
        xml::write_text(out, "value", value);
        out.push_str("</property>");
        out.push_str(end);
    }
}

/// What elements are called, whatever their namespace.
pub(crate) trait LocalName {
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

trait ExtendWith {
    fn extend_with(&mut self, property: Option<(String, String)>);
}

impl ExtendWith for Configuration {
    fn extend_with(&mut self, property: Option<(String, String)>) {
        if let Some((name, value)) = property {
            self.set(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(inside: &str, pairs: &[(&str, &str)]) {
        let expected: Configuration = pairs.iter().copied().collect();
        assert_eq!(
            read_configuration(&format!("<configuration>{inside}</configuration>")),
            Ok(expected)
        );
    }

    #[test]
    fn properties_are_read_as_oozie_reads_them() {
        check("<property><name> a </name><value> 1 </value></property>", &[("a", " 1 ")]);
        check(
            "<property><value>1</value><name>a</name><final>true</final><source>x</source></property>",
            &[("a", "1")],
        );
        check(
            "<property><name>a</name></property><property><name>b</name><value/></property>",
            &[],
        );
        check(
            "<property><name>a</name><value>1</value></property><property><name>a</name><value>2</value></property>",
            &[("a", "2")],
        );
        check(
            "<configuration><property><name>a</name><value>1</value></property></configuration>",
            &[("a", "1")],
        );
        check("<property><name>a</name><value><![CDATA[<x>]]></value></property>", &[("a", "<x>")]);
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for (text, code) in [
            ("<conf/>", "E0700"),
            ("<configuration><name/></configuration>", "E0700"),
            ("<configuration>", "E0700"),
            ("", "E0700"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><configuration/>", "HW0003"),
        ] {
            let found = read_configuration(text).expect_err(text);
            assert_eq!(found[0].code, code, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(pairs in proptest::collection::btree_map("[a-z.]{1,9}", "[ -~\u{e4}\u{1f600}\n\t\r]{1,20}", 0..6)) {
            let configuration: Configuration = pairs.into_iter().collect();
            prop_assert_eq!(read_configuration(&write_configuration(&configuration)), Ok(configuration));
        }
    }
}
