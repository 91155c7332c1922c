//! Nothing that can be written makes the reader panic, hang or use much.

use definition::{
    Limits, WorkflowSources, decode, read_action, read_configuration, read_workflow,
    validate_definition,
};
use proptest::prelude::*;

use super::common::Random;
use super::{action, codes, read, workflow};

const SEED: &str = include_str!("seed.xml");

#[test]
fn the_seed_is_valid() {
    assert_eq!(codes(&read(SEED)), "ok");
}

#[test]
fn entities_do_not_explode() {
    let text = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><x>&b;</x>";
    assert_eq!(codes(&read(text)), "HW0003");
    assert_eq!(codes(&read("<x>&b;</x>")), "E0701");
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(10_000));
    assert_eq!(codes(&read(&deep)), "HW0004");
    let long = workflow(&format!("<!--{}--><start to='e'/><end name='e'/>", "x".repeat(100_000)));
    assert_eq!(codes(&read(&long)), "E0736");
    let wider = Limits { max_bytes: 200_000 };
    assert_eq!(
        codes(&read_workflow(WorkflowSources { limits: wider, ..WorkflowSources::of(&long) })),
        "ok"
    );
}

/// Every level that is let through is walked by recursion: the deepest document must not use up a small stack.
#[test]
fn the_deepest_document_is_walked() {
    let levels = definition::MAX_DEPTH - 3;
    let logic =
        format!("{}<data-in dataset='a'/>{}", "<and>".repeat(levels), "</and>".repeat(levels));
    let text = format!(
        "<coordinator-app xmlns='uri:oozie:coordinator:0.5' name='c' frequency='5' start='s' end='e' timezone='UTC'><input-logic>\
         {logic}</input-logic><action><workflow><app-path>p</app-path></workflow></action></coordinator-app>"
    );
    let walk = move || validate_definition(&text, Limits::default());
    let small = std::thread::Builder::new().stack_size(512 * 1024).spawn(walk).expect("a thread");
    assert_eq!(small.join().expect("no overflow"), Ok(definition::DefinitionKind::Coordinator));
}

#[test]
fn thousands_of_mistakes_give_a_bounded_answer() {
    let nodes: String = (0..900).map(|number| action(&format!("a{number}"), "x", "y")).collect();
    let found = read(&workflow(
        &format!("<start to='a0'/>{nodes}<end name='e' x='1'/>").replace("<fs/>", "<fs y='1'/>"),
    ))
    .expect_err("bad");
    assert_eq!(found.len(), 100);
}

/// Deletes, doubles and overwrites pieces of the seed.
fn damaged(random: &mut Random) -> String {
    let mut bytes = SEED.as_bytes().to_vec();
    let damages = if random.percent(50) { 1 } else { 6 };
    for _ in 0..damages {
        let start = random.below(bytes.len());
        let end = (start + random.below(30)).min(bytes.len());
        let piece = bytes[start..end].to_vec();
        match random.below(4) {
            0 => drop(bytes.drain(start..end)),
            1 => drop(bytes.splice(start..start, piece)),
            2 => bytes[start] = random.pick(b"<>&'\"/=[]! -x\n${}:"),
            _ => drop(bytes.splice(random.below(bytes.len()).., piece)),
        }
        if bytes.is_empty() {
            bytes.push(b'<');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn damaged_definitions_get_an_answer() {
    let mut random = Random(7);
    for _ in 0..1_500 {
        let text = damaged(&mut random);
        let answer = read(&text);
        assert_eq!(answer.is_ok(), codes(&answer) == "ok");
        let _ = (
            validate_definition(&text, Limits::default()),
            read_configuration(&text),
            read_action("shell", &text),
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = decode(&bytes, Limits::default()) {
            let _ = (read(text), read_configuration(text));
        }
    }

    #[test]
    fn any_markup_gets_an_answer(text in "(<|</|/>|>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?|\\?>|a|b:|='|'|&|;| |\u{e4}){0,40}") {
        let _ = (read(&text), read_configuration(&text), read_action("fs", &text));
    }
}
