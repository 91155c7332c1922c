//! Facts about arbitrary texts and numbers.

use el::functions::{find, timestamp};
use el::{CallError, Env, Limits, Signature, Template, Value, escape_variable_value};
use proptest::prelude::*;

use crate::world::{NOW_MS, World, evaluate};

/// Texts of pieces that matter to the language.
fn likely_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "${",
        "}",
        "\\",
        "$",
        "{",
        "#{",
        "'",
        "\"",
        " ",
        "s",
        "m",
        "undef",
        "t:id(",
        "t:map()",
        "fs:exists(",
        ")",
        "(",
        ".",
        ",",
        "[",
        "]",
        "k",
        "1",
        "1.5",
        "e",
        "1e",
        "9999999999999999999",
        "+",
        "-",
        "*",
        "/",
        "%",
        "div",
        " and ",
        "&&",
        "||",
        "!",
        "not ",
        "empty ",
        "==",
        "<",
        " le ",
        "?",
        ":",
        "null",
        "true",
        "é",
        "😀",
        "\n",
        "\0",
        "=",
        "&",
        "instanceof",
        "replaceAll(",
        "concat(",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn expression() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "1",
        "0",
        "2.5",
        "1e3",
        "'a'",
        "'7'",
        "''",
        "'it\\'s \\\\ '",
        "true",
        "null",
        "s",
        "n",
        "nil",
        "m",
        "m.k",
        "undef",
        "D",
    ]);
    atom.prop_map(str::to_owned).prop_recursive(5, 40, 4, |inner| {
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "ne", "<", "ge", "&&", "or"]);
        let prefix = prop::sample::select(vec!["-", "!", "not ", "empty "]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
            (prefix, inner.clone()).prop_map(|(prefix, operand)| format!("{prefix}{operand}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            (inner.clone(), inner.clone()).prop_map(|(base, key)| format!("({base})[{key}].x")),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("concat({left}, t:obj({right}))")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(condition, yes, no)| format!("{condition} ? ({yes}) : {no}")),
        ]
    })
}

/// Reads and, when it parses, evaluates and prints; the print must mean the same and print the same.
fn exercise(text: &str) -> Result<(), TestCaseError> {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            prop_assert!(text.get(error.span.start..error.span.end).is_some(), "{text}: {error}");
            return Ok(());
        }
    };
    let printed = template.to_string();
    let again = Template::parse(&printed)
        .map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
    prop_assert_eq!(again.to_string(), printed);
    let value = |template: &Template| {
        template
            .evaluate_to_string(&World::default(), &Limits::default())
            .map_err(|error| error.to_string())
    };
    prop_assert_eq!(value(&template), value(&again));
    Ok(())
}

/// An environment in which every variable is one of two numbers.
struct Pair(Value, Value);

impl Env for Pair {
    fn variable(&self, name: &str) -> Result<Option<Value>, CallError> {
        Ok(Some(if name == "a" { self.0.clone() } else { self.1.clone() }))
    }

    fn signature(&self, _prefix: Option<&str>, _name: &str) -> Option<Signature> {
        None
    }

    fn call(&self, _prefix: Option<&str>, name: &str, _args: &[Value]) -> Result<Value, CallError> {
        Err(CallError::Failed(format!("there is no {name}")))
    }
}

fn of(text: &str, a: impl Into<Value>, b: impl Into<Value>) -> Value {
    let template = Template::parse(text).expect("a good text");
    template.evaluate(&Pair(a.into(), b.into()), &Limits::default()).expect("a value")
}

/// The low 64 bits of a wide number, as Java's arithmetic leaves them.
fn low(wide: i128) -> Value {
    Value::Int(wide as i64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_texts_do_not_panic(text in any::<String>()) {
        exercise(&text)?;
        exercise(&format!("${{{text}}}"))?;
    }

    #[test]
    fn likely_texts_do_not_panic(text in likely_text()) {
        exercise(&text)?;
        exercise(&format!("${{{text}}}"))?;
    }

    #[test]
    fn expressions_survive_printing(inner in expression()) {
        let text = format!("${{{inner}}}");
        prop_assert!(Template::parse(&text).is_ok(), "{}", text);
        exercise(&text)?;
    }

    #[test]
    fn text_without_openings_is_itself(text in "[^$]*") {
        prop_assert_eq!(evaluate(&text), Ok(Value::text(text)));
    }

    #[test]
    fn strings_mean_what_they_say(content in any::<String>()) {
        let quoted = content.replace('\\', "\\\\").replace('\'', "\\'");
        prop_assert_eq!(evaluate(&format!("${{'{quoted}'}}")), Ok(Value::text(content)));
    }

    #[test]
    fn whole_numbers_agree_with_wider_ones(a in any::<i64>(), b in any::<i64>()) {
        let (wide_a, wide_b) = (i128::from(a), i128::from(b));
        prop_assert_eq!(of("${a + b}", a, b), low(wide_a + wide_b));
        prop_assert_eq!(of("${a - b}", a, b), low(wide_a - wide_b));
        prop_assert_eq!(of("${a * b}", a, b), low(wide_a * wide_b));
        prop_assert_eq!(of("${-a}", a, b), low(-wide_a));
        prop_assert_eq!(of("${a / b}", a, b), Value::Float(a as f64 / b as f64));
        prop_assert_eq!(of("${a < b}", a, b), Value::Bool(wide_a < wide_b));
        prop_assert_eq!(of("${a >= b}", a, b), Value::Bool(wide_a >= wide_b));
        prop_assert_eq!(of("${a == b}", a, b), Value::Bool(wide_a == wide_b));
        if b != 0 {
            prop_assert_eq!(of("${a % b}", a, b), low(wide_a % wide_b));
        }
    }

    #[test]
    fn numbers_in_strings_compute_like_numbers(a in any::<i64>(), b in any::<i64>()) {
        for text in ["${a + b}", "${a - b}", "${a * b}", "${a / b}", "${-a}"] {
            prop_assert_eq!(of(text, a, b), of(text, a.to_string(), b.to_string()));
        }
    }

    #[test]
    fn floats_read_back_from_what_is_written(number in any::<f64>().prop_filter("a number", |number| number.is_finite())) {
        let written = Value::Float(number).to_string();
        prop_assert_eq!(of("${a + 0.0}", written.as_str(), 0), Value::Float(number + 0.0));
        prop_assert_eq!(written.contains('E'), number != 0.0 && !(1e-3..1e7).contains(&number.abs()));
    }

    #[test]
    fn comparison_is_an_order(a in any::<f64>(), b in any::<f64>()) {
        let holds = |text: &str| of(text, a, b) == Value::Bool(true);
        prop_assert_eq!(u8::from(holds("${a < b}")) + u8::from(holds("${a > b}")) + u8::from(holds("${a == b}")), 1);
        prop_assert_eq!(holds("${a <= b}"), !holds("${a > b}"));
        prop_assert_eq!(holds("${a != b}"), !holds("${a == b}"));
    }

    #[test]
    fn regular_expressions_do_not_panic(source in "\\PC{0,30}", pattern in "[a-c.*+?()\\[\\]{}|^$\\\\dDwWsSQEpPLRZbc0-9&:,<>=!-]{0,15}", replacement in "[ab$0-9{}\\\\]{0,8}") {
        let args = [Value::from(source), Value::from(pattern), Value::from(replacement)];
        for name in ["replaceAll", "appendAll"] {
            let function = find(name).expect("a shared function");
            prop_assert_eq!(function.call(&args, NOW_MS), function.call(&args, NOW_MS));
        }
    }

    #[test]
    fn escaped_values_always_fit_into_xml(value in "[a<>&;/\"' \\t#x0-9!-]{0,20}") {
        let escaped = escape_variable_value(&value);
        prop_assert_eq!(escape_variable_value(&escaped), escaped);
    }

    #[test]
    fn timestamps_count_days_as_a_calendar_does(day in 0_i64..200_000) {
        let (mut year, mut rest) = (1970, day);
        while rest >= year_days(year) {
            rest -= year_days(year);
            year += 1;
        }
        let mut month = 0;
        while rest >= month_days(year, month) {
            rest -= month_days(year, month);
            month += 1;
        }
        prop_assert_eq!(timestamp(day * 86_400_000), format!("{year:04}-{:02}-{:02}T00:00Z", month + 1, rest + 1));
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn year_days(year: i64) -> i64 {
    365 + i64::from(is_leap(year))
}

fn month_days(year: i64, month: usize) -> i64 {
    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
    if month == 1 { days + i64::from(is_leap(year)) } else { days }
}
