//! What expressions mean: the recorded table, our departures from it, and where errors point.

use el::{ErrorClass, EvalError, ReferenceKind, Template, Value};

use crate::world::{evaluate, outcome, parsed};

fn check(text: &str, expected: &str) {
    assert_eq!(outcome(text), expected, "of {text}");
}

#[test]
fn expressions_have_the_values_and_errors_that_oozie_gives_them() {
    let mut cases = 0;
    for line in include_str!("expressions.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("## "))
    {
        let (text, expected) = line.split_once('\t').expect("a case has a tab before its outcome");
        check(&text.replace("\\n", "\n"), expected);
        cases += 1;
    }
    assert!(cases > 900, "only {cases} cases were read");
}

#[test]
fn departures_from_oozie_are_the_documented_ones() {
    check("#{s}", "=> String [#{s}]");
    check("${s}#{s}", "=> String [hello#{s}]");
    check("x #{ y", "=> String [x #{ y]");
    check("\\#{s}", "=> String [\\#{s}]");
    check("${null.x}", "=> null");
    check("${s += 'x'}", "!! unexpected character [=]");
    check("${s;n}", "!! unexpected character [;]");
    check("${[1,2]}", "!! expected a value, found `[`");
    check("${{'a':1}}", "!! unexpected character [{]");
    check("${s.length()}", "!! expected an operator or the end of the expression, found `(`");
    check("${1.5 + '0x1p3'}", "!! cannot convert [0x1p3] from string to float");
    check(
        "${true ? 1 : 9223372036854775808}",
        "!! the number [9223372036854775808] is out of range",
    );
}

#[test]
fn a_lone_expression_keeps_its_type_and_mixed_text_is_a_string() {
    assert_eq!(evaluate("${1 + 1}"), Ok(Value::Int(2)));
    assert_eq!(evaluate(" ${1 + 1}"), Ok(Value::text(" 2")));
    assert_eq!(evaluate("${1}${1}"), Ok(Value::text("11")));
    assert_eq!(evaluate(""), Ok(Value::text("")));
    assert_eq!(evaluate("${nil}"), Ok(Value::Null));
    assert_eq!(evaluate("${nil}${nil}"), Ok(Value::text("")));
}

#[test]
fn floats_are_written_as_java_writes_them() {
    for (number, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.001, "0.001"),
        (0.000_999, "9.99E-4"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (f64::MAX, "1.7976931348623157E308"),
        (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
        (f64::NEG_INFINITY, "-Infinity"),
        (f64::NAN, "NaN"),
    ] {
        assert_eq!(Value::Float(number).to_string(), expected);
    }
}

#[test]
fn parse_errors_point_into_the_text_and_say_what_to_do() {
    let check = |text: &str, part: &str, help: &str| {
        let error = Template::parse(text).expect_err(text);
        assert_eq!(&text[error.span.start..error.span.end], part, "of {text}: {error}");
        assert!(error.help().contains(help), "of {text}: {}", error.help());
        assert_eq!(error.class(), ErrorClass::Permanent);
    };
    check("ab ${s", "${", "closing `}`");
    check("ab ${}", "${}", "between the braces");
    check("ab ${'x}", "'", "closing quote");
    check("${'a\\d'}", "\\d", "double the backslash");
    check("${s &amp;&amp; t}", "&", "`and`");
    check("${s = 'x'}", "=", "`==`");
    check("${concat(s, ${n})}", "{", "don't nest");
    check("é${1 2}", "2", "wf:conf");
    check("${a.b.}", "}", "wf:conf");
    check("${12345678901234567890}", "12345678901234567890", "1e19");
    check("${'é' ß}", "ß", "wf:conf");
}

#[test]
fn evaluation_errors_point_into_the_text() {
    let check = |text: &str, part: &str, class: ErrorClass| {
        let error = evaluate(text).expect_err(text);
        assert_eq!(error.class(), Some(class), "of {text}");
        let EvalError::Failed { failure, span } = error else { panic!("{text} has no questions") };
        assert_eq!(&text[span.start..span.end], part, "of {text}");
        assert!(!failure.help().is_empty());
    };
    check("é ${undef}", "undef", ErrorClass::Permanent);
    check("${1 + (undef)}", "(undef)", ErrorClass::Permanent);
    check("${1 + s * 2}", "s * 2", ErrorClass::Permanent);
    check("${t:long('x')}", "'x'", ErrorClass::Permanent);
    check("${t:nope(1)}", "t:nope", ErrorClass::Permanent);
    check("${true ? 1 : t:id()}", "t:id", ErrorClass::Permanent);
    check("${s.a.b}", "s.a", ErrorClass::Permanent);
    check("${1 ? 2 : 3}", "1", ErrorClass::Permanent);
    check("${true and 7}", "7", ErrorClass::Permanent);
    check("${-s}", "-s", ErrorClass::Permanent);
    check("${7 % 0}", "7 % 0", ErrorClass::Permanent);
    check("${m < t:map()}", "m < t:map()", ErrorClass::Permanent);
    check("a ${t:fail()} b", "t:fail()", ErrorClass::Permanent);
    check("a ${t:away()} b", "t:away()", ErrorClass::Transient);
    check("${unreachable}", "unreachable", ErrorClass::Transient);
}

#[test]
fn classes_carry_oozies_codes() {
    assert_eq!(ErrorClass::Transient.code(), "EL_EVAL_ERROR");
    assert_eq!(ErrorClass::Permanent.code(), "EL_ERROR");
    assert_eq!(
        evaluate("${dummyvalue}").expect_err("unknown").to_string(),
        "variable [dummyvalue] cannot be resolved"
    );
}

#[test]
fn references_name_every_variable_and_function_in_the_order_of_the_text() {
    let text = "${a} and ${wf:actionData('x-y')['k'] eq b ? concat(c, 'd') : m[key].e}";
    let template = parsed(text);
    let mut found = Vec::new();
    for reference in template.references() {
        let part = &text[reference.span.start..reference.span.end];
        match &reference.kind {
            ReferenceKind::Variable => assert_eq!(part, reference.name.as_ref()),
            ReferenceKind::Function { prefix: Some(prefix), .. } => {
                assert_eq!(part, format!("{prefix}:{}", reference.name))
            }
            ReferenceKind::Function { prefix: None, .. } => {
                assert_eq!(part, reference.name.as_ref())
            }
        }
        found.push(part);
    }
    assert_eq!(found, ["a", "wf:actionData", "b", "concat", "c", "m", "key"]);
    let ReferenceKind::Function { arguments, .. } = &template.references()[1].kind else {
        panic!("wf:actionData is a function")
    };
    assert_eq!(arguments.iter().map(Option::as_deref).collect::<Vec<_>>(), [Some("x-y")]);
    let ReferenceKind::Function { arguments, .. } = &template.references()[3].kind else {
        panic!("concat is a function")
    };
    assert_eq!(arguments.iter().map(Option::as_deref).collect::<Vec<_>>(), [None, Some("d")]);
}

#[test]
fn only_texts_without_expressions_are_literal() {
    assert!(parsed("").is_literal());
    assert!(parsed("a \\${b} $c #{d}").is_literal());
    assert!(!parsed("a ${b}").is_literal());
}

#[test]
fn printing_a_template_gives_its_canonical_text() {
    for (text, expected) in [
        ("a ${ x lt 1 and not y } \\${z}", "a ${((x < 1) && (! y))} \\${z}"),
        ("${1+2-3*4}", "${(1 + 2 - (3 * 4))}"),
        ("${m.k[ \"a'b\\\\\" ]}", "${m['k']['a\\'b\\\\']}"),
        ("${t : id(a?b:c)}", "${t:id((a ? (b) : c))}"),
        ("${- -1 div 1e400}", "${((- (- 1)) / 1e999)}"),
    ] {
        assert_eq!(parsed(text).to_string(), expected);
    }
}
