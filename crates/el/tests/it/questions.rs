//! Questions about the outside world: all that can be found are collected in one go, and no more.

use el::{ErrorClass, EvalError, Limits, Value};

use crate::world::{World, parsed};

/// The paths asked about, sorted.
fn check(text: &str, expected: &[&str]) {
    match parsed(text).evaluate(&World::default(), &Limits::default()) {
        Err(EvalError::Pending(questions)) => {
            assert!(questions.iter().all(|question| question.function == "fs:exists"));
            let paths: Vec<&str> =
                questions.iter().flat_map(|question| &question.args).map(String::as_str).collect();
            assert_eq!(paths, expected, "of {text}");
        }
        other => panic!("{text} gave {other:?}"),
    }
}

#[test]
fn questions_of_all_parts_are_collected_sorted_and_once() {
    check("${fs:exists('/b')}", &["/b"]);
    check("a ${fs:exists('/b')} c ${fs:exists('/a')} ${fs:exists('/b')}", &["/a", "/b"]);
    check("${fs:exists('/a') == fs:exists('/b')}", &["/a", "/b"]);
    check("${concat(fs:exists('/a'), fs:exists('/b'))}", &["/a", "/b"]);
    check("${!fs:exists('/a')} ${empty fs:exists('/b')}", &["/a", "/b"]);
    check("${m[fs:exists('/a')]} ${fs:exists('/b').x}", &["/a", "/b"]);
}

#[test]
fn a_branch_that_depends_on_an_open_question_is_not_explored() {
    check("${fs:exists('/a') && fs:exists('/b')}", &["/a"]);
    check("${fs:exists('/a') || undef}", &["/a"]);
    check("${fs:exists('/a') ? fs:exists('/b') : undef}", &["/a"]);
    check("${true && fs:exists('/a') && fs:exists('/b')}", &["/a"]);
}

#[test]
fn a_branch_that_is_known_to_count_is_explored() {
    check("${true && fs:exists('/a')}", &["/a"]);
    check("${false || fs:exists('/a')}", &["/a"]);
    check("${true ? fs:exists('/a') : fs:exists('/b')}", &["/a"]);
}

#[test]
fn a_function_of_an_unknown_argument_is_not_called() {
    let world = World::default();
    let result = parsed("${t:id(fs:exists(t:nz('/a')))}").evaluate(&world, &Limits::default());
    assert!(matches!(result, Err(EvalError::Pending(_))));
    assert_eq!(*world.calls.borrow(), ["nz", "exists"]);
}

#[test]
fn what_short_circuits_asks_nothing() {
    let world = World::default();
    for (text, expected) in [
        ("${false && fs:exists('/a')}", false),
        ("${true || fs:exists('/a')}", true),
        ("${true ? false : fs:exists('/a')}", false),
        ("${null > fs:exists('/a')}", false),
    ] {
        assert_eq!(
            parsed(text).evaluate(&world, &Limits::default()),
            Ok(Value::Bool(expected)),
            "of {text}"
        );
    }
    assert!(world.calls.borrow().is_empty());
}

#[test]
fn answers_lead_to_the_next_questions_and_then_to_the_value() {
    let mut world = World::default();
    let template = parsed("${fs:exists('/a') && fs:exists('/b')}");
    for _ in 0..2 {
        let Err(EvalError::Pending(questions)) = template.evaluate(&world, &Limits::default())
        else {
            panic!("a question is open")
        };
        world.answers.insert(questions[0].args[0].clone(), true);
    }
    assert_eq!(template.evaluate(&world, &Limits::default()), Ok(Value::Bool(true)));
}

#[test]
fn a_failure_wins_over_open_questions() {
    let result =
        parsed("${fs:exists('/a')} ${undef}").evaluate(&World::default(), &Limits::default());
    assert_eq!(result.expect_err("undef is unknown").class(), Some(ErrorClass::Permanent));
    let result = parsed("${fs:exists('/a')}").evaluate(&World::default(), &Limits::default());
    assert_eq!(result.expect_err("it is open").class(), None);
}
