//! Job properties as variables.

use el::{escape_variable_value, is_variable_name};

#[test]
fn only_identifiers_are_variable_names() {
    for name in ["a", "_", "A1_b", "nameNode", "_1"] {
        assert!(is_variable_name(name), "{name}");
    }
    for name in ["", "1a", "a.b", "a-b", "é", "a b", "a$", "$a", " a"] {
        assert!(!is_variable_name(name), "{name}");
    }
}

/// Values that can stand between `<value>` and `</value>`, as the XML parser of Oozie sees it.
#[test]
fn well_formed_values_stay_as_they_are() {
    for value in [
        "",
        "a",
        "a<b/>c",
        "a &amp; b",
        "a>b",
        "<!-- c -->",
        "<![CDATA[<]]>",
        "<?pi x?>",
        "&#65;",
        "&lt;x&gt;",
        "<a xmlns:p='u'><p:b/></a>",
        "<a\n/>",
        "😀",
        "tab\tnewline\nquote'\"",
        "${other}",
    ] {
        assert_eq!(escape_variable_value(value), value);
    }
}

#[test]
fn values_that_are_not_well_formed_are_escaped() {
    for value in [
        "a<b",
        "a & b",
        "&foo;",
        "]]>",
        "<x:y/>",
        "<?xml version='1.0'?>",
        "</value><value>",
        "a\u{1}b",
        "&#0;",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<!DOCTYPE x>",
        "\u{FFFE}",
        "<a>",
        "<a b='<'/>",
        "<-",
        "<1/>",
        "<!-- -- -->",
        "<a b='1'c='2'/>",
        "<a:b:c/>",
        "&",
        "<",
    ] {
        let escaped = value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#039;");
        assert_eq!(escape_variable_value(value), escaped);
    }
}

#[test]
fn values_are_trimmed_first() {
    assert_eq!(escape_variable_value(" \t a b \n"), "a b");
    assert_eq!(escape_variable_value(" a < b "), "a &lt; b");
    assert_eq!(escape_variable_value("\u{a0}a"), "\u{a0}a");
}

#[test]
fn deep_values_do_not_exhaust_the_stack() {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let escaped = escape_variable_value(&deep);
    assert!(escaped == deep || escaped.starts_with("&lt;a&gt;"));
}
