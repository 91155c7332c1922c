//! Everything is bounded: size, depth, steps, output, questions, regular expressions.

use std::thread;

use el::{
    EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EvalError, Failure, LIMIT_OUTPUT_BYTES, Limits,
    ParseErrorKind, TEMPLATE_BYTES_MAX, Template, Value,
};

use crate::world::{World, evaluate, parsed};

/// Half of what a thread of the server has.
const STACK_BYTES: usize = 1024 * 1024;

fn parse_error(text: &str) -> ParseErrorKind {
    Template::parse(text).expect_err("it is beyond a limit").kind
}

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(work)
        .expect("a thread")
        .join()
        .expect("the work ends well");
}

/// Each way to nest, `depth` times.
fn nested(depth: usize) -> Vec<String> {
    let wrap = |open: &str, middle: &str, close: &str| {
        format!("${{{}{middle}{}}}", open.repeat(depth), close.repeat(depth))
    };
    vec![
        wrap("(", "1", ")"),
        wrap("!", "true", ""),
        wrap("- ", "1", ""),
        wrap("t:id(", "1", ")"),
        wrap("m[", "'k'", "]"),
        wrap("true ? ", "1", " : 2"),
        wrap("false ? 1 : ", "1", ""),
        wrap("1 + (2 * ", "1", ")"),
        wrap("1 || 2 && 3 == 4 < 5 + 6 * (", "1", ")"),
        wrap("empty (1 == t:obj(true && !", "s", "))"),
    ]
}

#[test]
fn deep_nesting_is_refused_without_exhausting_the_stack() {
    on_a_small_stack(|| {
        for text in nested(EXPRESSION_DEPTH_MAX + 1).into_iter().chain(nested(400)) {
            assert_eq!(
                parse_error(&text),
                ParseErrorKind::TooDeep(EXPRESSION_DEPTH_MAX),
                "of {text}"
            );
        }
    });
}

#[test]
fn the_deepest_nesting_evaluates_prints_and_drops_on_a_small_stack() {
    on_a_small_stack(|| {
        for way in 0..nested(0).len() {
            let deepest = (1..=EXPRESSION_DEPTH_MAX)
                .rev()
                .map(|depth| nested(depth).swap_remove(way))
                .find(|text| Template::parse(text).is_ok());
            let template = parsed(&deepest.expect("one level parses"));
            let _value_or_error = template.evaluate(&World::default(), &Limits::default());
            assert!(!template.to_string().is_empty());
        }
        let deepest = format!(
            "${{{}1{}}}",
            "t:long(".repeat(EXPRESSION_DEPTH_MAX),
            ")".repeat(EXPRESSION_DEPTH_MAX)
        );
        assert_eq!(evaluate(&deepest), Ok(Value::Int(1)));
    });
}

#[test]
fn long_chains_of_operators_cost_no_depth() {
    on_a_small_stack(|| {
        let sum = format!("${{{}}}", vec!["1"; 5000].join("+"));
        assert_eq!(evaluate(&sum), Ok(Value::Int(5000)));
        let path = format!("${{m{}}}", ".zz".repeat(4000));
        assert_eq!(evaluate(&path), Ok(Value::Null));
    });
}

#[test]
fn long_texts_and_expressions_are_refused() {
    assert_eq!(
        parse_error(&"x".repeat(TEMPLATE_BYTES_MAX + 1)),
        ParseErrorKind::TextTooLong(TEMPLATE_BYTES_MAX)
    );
    assert!(Template::parse(&"x".repeat(TEMPLATE_BYTES_MAX)).is_ok());
    let long = format!("${{'{}'}}", "x".repeat(EXPRESSION_BYTES_MAX));
    assert_eq!(parse_error(&long), ParseErrorKind::ExpressionTooLong(EXPRESSION_BYTES_MAX));
}

#[test]
fn unclosed_texts_of_any_length_are_refused_in_linear_time() {
    assert_eq!(
        parse_error(&"${'".repeat(TEMPLATE_BYTES_MAX / 3)),
        ParseErrorKind::UnexpectedCharacter('{')
    );
    assert_eq!(
        parse_error(&format!("${{'{}", "x".repeat(TEMPLATE_BYTES_MAX - 4))),
        ParseErrorKind::UnclosedString
    );
}

fn check_limit(text: &str, limits: &Limits, expected: &'static str) {
    match parsed(text).evaluate(&World::default(), limits) {
        Err(EvalError::Failed { failure: Failure::Limit { what, .. }, .. }) => {
            assert_eq!(what, expected)
        }
        other => panic!("{text} gave {other:?}"),
    }
}

#[test]
fn steps_output_and_questions_are_bounded() {
    let small = Limits { steps_max: 10, output_bytes_max: 10, questions_max: 1 };
    check_limit("${1+1+1+1+1+1+1+1+1+1+1}", &small, "steps");
    check_limit("${'hello world'}", &small, "bytes of output");
    check_limit("${s}${s}${s}", &small, "bytes of output");
    check_limit("${fs:exists('/a')}${fs:exists('/b')}", &small, "questions");
    check_limit(
        &"${t:ra(m,'a','b')}".repeat(20_000),
        &Limits { steps_max: 50_000, ..Limits::default() },
        "steps",
    );
}

fn check_failed(text: &str, expected: &str) {
    let message = evaluate(text).map_err(|error| error.to_string()).err();
    assert!(
        message.as_deref().is_some_and(|message| message.contains(expected)),
        "{message:.300?} of {text:.60}"
    );
}

#[test]
fn functions_bound_what_they_produce() {
    let wide = "x".repeat(8_000);
    check_failed(
        &format!("${{replaceAll('{wide}', 'x', '{}')}}", "y".repeat(7_900)),
        &LIMIT_OUTPUT_BYTES.to_string(),
    );
    check_failed(
        &format!("${{appendAll('{wide}', '{}', '')}}", "y".repeat(7_900)),
        &LIMIT_OUTPUT_BYTES.to_string(),
    );
}

#[test]
fn hard_regular_expressions_end() {
    check_failed(
        &format!("${{replaceAll('{}!c', '(a|b|ab)*(?>c)', '')}}", "ab".repeat(1_000)),
        "takes too long",
    );
    check_failed("${replaceAll(s, '(?:a{1000}){1000}', '')}", "can't be used");
    check_failed(&format!("${{replaceAll(s, '{}', '')}}", "(".repeat(4_000)), "can't be used");
    check_failed(
        &format!("${{replaceAll(s, '{}', '')}}", "a".repeat(5_000)),
        "more than 4096 bytes",
    );
    check_failed("${replaceAll(s, '(?U)a', '')}", "not supported");
}
