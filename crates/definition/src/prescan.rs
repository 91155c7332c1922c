//! One pass over the raw characters of an XML document before any parser sees it: how deep it is, whether it has a
//! document type declaration, and a few mistakes that the parser would let through.
//!
//! It knows just enough XML to skip comments, character data sections, processing instructions and quoted values. It
//! accepts much that is not well-formed: the parser refuses that afterwards.

use std::ops::Range;

use model::Diagnostic;

use crate::codes;
use crate::source::{Lines, MAX_DEPTH, finding};

/// Why a document is not given to the parser.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It declares a document type.
    DocumentType(Range<usize>),
    /// This start tag is nested too deeply.
    TooDeep(Range<usize>),
    /// It is not XML.
    Malformed(Range<usize>, &'static str),
}

impl Refusal {
    /// `malformed` is the code for text that is not well-formed XML.
    pub(crate) fn diagnostic(&self, lines: &Lines<'_>, malformed: &str) -> Diagnostic {
        let mut found = match self {
            Refusal::DocumentType(span) => finding(
                codes::DOCUMENT_TYPE,
                span.clone(),
                "document type declarations (<!DOCTYPE>) and the entities they define are not accepted".to_owned(),
                "remove the declaration and write out what its entities stand for",
            ),
            Refusal::TooDeep(span) => finding(
                codes::TOO_DEEP,
                span.clone(),
                format!("elements are nested more than {MAX_DEPTH} deep"),
                "a definition needs less than ten levels: look for a missing end tag before this place",
            ),
            Refusal::Malformed(span, why) => finding(
                malformed,
                span.clone(),
                format!("not well-formed XML: {why}"),
                "correct the XML here; an XML-aware editor shows the place",
            ),
        };
        found.at = lines.location(found.span.start);
        found
    }
}

/// Checks the depth of a document, that it has no document type declaration, and what else the parser leaves to us.
pub(crate) fn check(text: &str) -> Result<(), Refusal> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|offset| at + offset) {
        let rest = &text[open..];
        let markup = &rest[..length_of_markup(rest)];
        at = open + markup.len();
        match markup.as_bytes() {
            [b'<', b'!', ..] if markup.starts_with("<!DOCTYPE") => {
                return Err(Refusal::DocumentType(open..at));
            }
            [b'<', b'!', ..] => {}
            [b'<', b'?', ..] => {
                instruction(markup).map_err(|why| Refusal::Malformed(open..at, why))?
            }
            [b'<', b'/', ..] => depth = depth.saturating_sub(1),
            _ if markup.ends_with("/>") => {}
            _ => depth += 1,
        }
        if depth > MAX_DEPTH {
            return Err(Refusal::TooDeep(open..at));
        }
        if !matches!(markup.as_bytes(), [b'<', b'!' | b'?', ..]) && has_nameless_prefix(markup) {
            return Err(Refusal::Malformed(open..at, "a name begins with ':'"));
        }
    }
    Ok(())
}

/// Whether a name of a tag begins with a colon.
fn has_nameless_prefix(tag: &str) -> bool {
    let (mut quote, mut before) = (None, b' ');
    for byte in tag.bytes() {
        match (quote, byte) {
            (None, b':')
                if matches!(before, b'<' | b'/' | b'"' | b'\'' | b' ' | b'\t' | b'\r' | b'\n') =>
            {
                return true;
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        before = byte;
    }
    false
}

/// A processing instruction begins with a name; the XML declaration says version 1.0 or 1.1.
fn instruction(markup: &str) -> Result<(), &'static str> {
    let inside = markup.strip_prefix("<?").unwrap_or(markup);
    let inside = inside.strip_suffix("?>").unwrap_or(inside);
    let (target, rest) = inside.split_once([' ', '\t', '\r', '\n']).unwrap_or((inside, ""));
    if target.contains(['=', '"', '\'', '<', '&', '?']) {
        return Err("white space is missing after the name of a processing instruction");
    }
    let version = rest
        .trim_start()
        .strip_prefix("version")
        .map(|rest| rest.trim_start_matches([' ', '=', '\t', '\r', '\n']));
    match version {
        Some(value)
            if target == "xml"
                && !["\"1.0\"", "'1.0'", "\"1.1\"", "'1.1'"]
                    .iter()
                    .any(|one| value.starts_with(one)) =>
        {
            Err("only XML 1.0 and 1.1 exist")
        }
        _ => Ok(()),
    }
}

/// The length of the markup that a text begins with; the whole text when it has no end.
fn length_of_markup(text: &str) -> usize {
    let until = |end: &str| text.find(end).map_or(text.len(), |offset| offset + end.len());
    if let Some(comment) = text.strip_prefix("<!--") {
        comment.find("-->").map_or(text.len(), |offset| "<!--".len() + offset + "-->".len())
    } else if text.starts_with("<![CDATA[") {
        until("]]>")
    } else if text.starts_with("<?") {
        until("?>")
    } else {
        length_of_tag(text)
    }
}

/// The length of a tag whose values may hold `>` in quotes.
fn length_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doctype_is_found_wherever_it_stands_and_not_in_comments() {
        assert!(matches!(
            check("<?xml version='1.0'?>\n<!DOCTYPE a><a/>"),
            Err(Refusal::DocumentType(_))
        ));
        assert_eq!(check("<!-- <!DOCTYPE a> --><a><![CDATA[<!DOCTYPE]]></a>"), Ok(()));
        assert_eq!(check("<!--><!DOCTYPE a>--><a/>"), Ok(()));
    }

    #[test]
    fn depth_counts_open_elements_only() {
        let nested =
            |levels: usize| format!("{}{}", "<a b='/>'>".repeat(levels), "</a>".repeat(levels));
        assert_eq!(check(&nested(MAX_DEPTH)), Ok(()));
        assert!(matches!(check(&nested(MAX_DEPTH + 1)), Err(Refusal::TooDeep(_))));
        assert_eq!(check(&"<a/>".repeat(1000)), Ok(()));
        assert_eq!(check(&format!("<x>{}</x>", "<a></a>".repeat(1000))), Ok(()));
    }

    #[test]
    fn mistakes_the_parser_lets_through_are_found() {
        for text in [
            "<:a/>",
            "<a></:a>",
            "<a :b='c'/>",
            "<a b='c':d='e'/>",
            "<?xmlversion='1.0'?><a/>",
            "<?xml version='2.0'?><a/>",
        ] {
            assert!(matches!(check(text), Err(Refusal::Malformed(..))), "{text}");
        }
        for text in [
            "<a b=':c' d:e='f'/>",
            "<?xml version='1.0'?><a/>",
            "<?xml version = \"1.1\"?><a>:</a>",
            "<?p?><a/>",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn unfinished_markup_ends_the_scan() {
        for text in ["<", "<a", "<a b='", "<!--", "<![CDATA[", "<?xml", "</", "x<y>z"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
