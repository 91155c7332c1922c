//! Writing XML: elements of a document as texts of their own, and texts escaped.
//!
//! An element is copied by its meaning, not by its letters: its namespace becomes the default namespace of the copy,
//! comments go, white space around texts goes (Oozie pretty-prints action bodies). Texts and attribute values keep the
//! letters they were written with, character data sections included, because expressions are evaluated on them.

use roxmltree::Node;

use crate::schema::is_space;

/// An element with everything in it.
pub(crate) fn copy_of(node: Node<'_, '_>) -> String {
    let mut out = String::new();
    write_element(&mut out, node, None);
    out
}

/// Writes an element into one whose namespace is `around`.
pub(crate) fn write_element(out: &mut String, node: Node<'_, '_>, around: Option<&str>) {
    open_tag(out, node, around);
    let elements: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
    let text = if elements.is_empty() { raw_text(node) } else { String::new() };
    if elements.is_empty() && text.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    out.push_str(&text);
    for child in elements {
        write_element(out, child, node.tag_name().namespace());
    }
    close_tag(out, node);
}

/// The start tag without its last `>`.
pub(crate) fn open_tag(out: &mut String, node: Node<'_, '_>, around: Option<&str>) {
    out.push('<');
    out.push_str(node.tag_name().name());
    let own = node.tag_name().namespace().unwrap_or("");
    if own != around.unwrap_or("") {
        let uri = escaped(own).replace('"', "&quot;");
        out.extend([" xmlns=\"", &uri, "\""]);
    }
    let source = node.document().input_text();
    for attribute in node.attributes().filter(|attribute| attribute.namespace().is_none()) {
        let value = attribute.range_value();
        let quote = if source[..value.start].ends_with('\'') { "'" } else { "\"" };
        out.extend([" ", attribute.name(), "=", quote, &source[value], quote]);
    }
}

pub(crate) fn close_tag(out: &mut String, node: Node<'_, '_>) {
    out.extend(["</", node.tag_name().name(), ">"]);
}

/// An element of nothing but text.
pub(crate) fn write_text(out: &mut String, name: &str, text: &str) {
    out.extend(["<", name, ">", &escaped(text), "</", name, ">"]);
}

/// The text of an element as it was written, without comments and without white space at both ends.
fn raw_text(node: Node<'_, '_>) -> String {
    let source = node.document().input_text();
    let end_tag = node.range().start + source[node.range()].rfind("</").unwrap_or(0);
    let piece = |child: Node<'_, '_>| {
        let end = child.next_sibling().map_or(end_tag, |next| next.range().start);
        source.get(child.range().start..end).unwrap_or_default()
    };
    let whole: String = node.children().filter(Node::is_text).map(piece).collect();
    whole.trim_matches(is_space).to_owned()
}

/// The decoded text of an element, comments left out, as written.
pub(crate) fn text_of(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|child| child.text()).collect()
}

/// The decoded text of an element without white space at both ends.
pub(crate) fn trimmed_text_of(node: Node<'_, '_>) -> String {
    text_of(node).trim().to_owned()
}

/// A text made fit to stand between tags. A character that XML can't hold becomes U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' if out.ends_with("]]") => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, copy: &str) {
        let parsed = roxmltree::Document::parse(document).expect("well-formed");
        let inner = parsed.root_element().first_element_child().expect("an element inside");
        assert_eq!(copy_of(inner), copy);
        roxmltree::Document::parse(copy).expect("a copy is well-formed");
    }

    #[test]
    fn copies_stand_alone_with_their_namespaces() {
        check("<a xmlns='u'><b>x</b></a>", "<b xmlns=\"u\">x</b>");
        check(
            "<a xmlns='u' xmlns:p='v'><p:b><p:c/><d/></p:b></a>",
            "<b xmlns=\"v\"><c/><d xmlns=\"u\"/></b>",
        );
        check("<a xmlns='u'><b xmlns=''/></a>", "<b/>");
    }

    #[test]
    fn texts_keep_their_letters_and_lose_white_space_and_comments() {
        check("<a><b> x &lt; 1<!-- no --> y </b></a>", "<b>x &lt; 1 y</b>");
        check(
            "<a><b>\n <![CDATA[ ${x > 1 && y} ]]> z\n</b></a>",
            "<b><![CDATA[ ${x > 1 && y} ]]> z</b>",
        );
        check("<a><b>x<![CDATA[<]]></b></a>", "<b>x<![CDATA[<]]></b>");
        check("<a><b c='say \"hi\"' d=\"&amp;\"/></a>", "<b c='say \"hi\"' d=\"&amp;\"/>");
        check("<a><b><c> </c> <d>1</d> </b></a>", "<b><c/><d>1</d></b>");
    }

    #[test]
    fn escaped_texts_come_back() {
        for text in ["a<b>&c", "]]>", "x\ry\n\t", "${a > b && c}"] {
            let document = format!("<t>{}</t>", escaped(text));
            let parsed = roxmltree::Document::parse(&document).expect("well-formed");
            assert_eq!(text_of(parsed.root_element()), text);
        }
        assert_eq!(escaped("a\u{1}b"), "a\u{fffd}b");
    }
}
