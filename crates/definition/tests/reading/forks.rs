//! Forks and joins in forty shapes and more, each with the codes Oozie's validator gives (all of a stage, where Oozie
//! stops at the first).
//!
//! Notation: `a>b,c` is an action that goes to b when it ends well and to c when not (to the kill node `k` when nothing
//! is said), `f=a|b` a fork, `j)b` a join, `d?a|b` a decision whose last target is the default. The first node is where
//! the start goes; an end `e` and a kill `k` always exist.

use definition::{WorkflowSources, read_workflow};

use super::{action, codes, workflow};

fn nodes(shape: &str) -> String {
    let first = shape.split([' ', '>', '=', ')', '?']).next().expect("a name");
    let body: String = shape.split_whitespace().map(node).collect();
    format!("<start to='{first}'/>{body}<kill name='k'><message>m</message></kill><end name='e'/>")
}

fn node(word: &str) -> String {
    let at = word.find(['>', '=', ')', '?']).expect("a node has a sign");
    let (name, targets) = (&word[..at], &word[at + 1..]);
    match &word[at..=at] {
        ">" => {
            let (ok, error) = targets.split_once(',').unwrap_or((targets, "k"));
            action(name, ok, error)
        }
        "=" => {
            let paths: String =
                targets.split('|').map(|path| format!("<path start='{path}'/>")).collect();
            format!("<fork name='{name}'>{paths}</fork>")
        }
        ")" => format!("<join name='{name}' to='{targets}'/>"),
        _ => {
            let (cases, default) = targets.rsplit_once('|').expect("a decision has two targets");
            let cases: String =
                cases.split('|').map(|to| format!("<case to='{to}'>x</case>")).collect();
            format!(
                "<decision name='{name}'><switch>{cases}<default to='{default}'/></switch></decision>"
            )
        }
    }
}

#[track_caller]
fn check(shape: &str, expected: &str) {
    let text = workflow(&nodes(shape));
    let checked = read_workflow(WorkflowSources::of(&text));
    assert_eq!(codes(&checked), expected, "{shape}: {:#?}", checked.err());
    let unchecked =
        read_workflow(WorkflowSources { validate_fork_join: false, ..WorkflowSources::of(&text) });
    assert_eq!(codes(&unchecked), "ok", "{shape}, forks not checked");
}

#[test]
fn pairs_of_fork_and_join() {
    check("f=a|b a>j b>j j)e", "ok");
    check("f=a|b|c a>j b>j c>j j)e", "ok");
    check("f=a|b a>a2 a2>j b>j j)e", "ok");
    check("f=a|b a>j b>j j)g g=c|d c>i d>i i)e", "ok");
    check("s>f f=a|b a>j b>j j)t t>e", "ok");
}

#[test]
fn nested_forks() {
    check("f=a|g g=b|c b>i c>i i)d d>j a>j j)e", "ok");
    check("f=a|g g=b|c b>i c>i i)j a>j j)e", "ok");
    check("f=g|h g=a|b h=c|d a>i b>i c>l d>l i)j l)j j)e", "ok");
    check("f=a|g g=b|h h=c|d c>l d>l l)i b>i i)j a>j j)e", "ok");
    check("f=a|g g=b|c b>i c>j i)j a>j j)e", "E0758");
    check("f=a|g g=b|c b>j c>j i)e a>j j)e", "E0730");
    check("f=a|g g=b|c b>j c>j a>i i)j j)e", "E0737 E0742");
}

#[test]
fn counts_that_differ() {
    check("f=a|b a>e b>e", "E0730");
    check("a>j j)e", "E0730");
    check("f=a|b a>j b>i j)e i)e", "E0730");
    check("f=a|g g=b|c b>j c>j a>j j)e", "E0730");
    check("f=a|b a>j b>j j)e l)e", "ok");
    check("f=a|b a>j b>j j)i i)e", "E0730");
}

#[test]
fn ends_and_kills_inside_forks() {
    check("f=a|b a>e b>j j)e", "E0737");
    check("f=a|b a>k b>j j)e", "ok");
    check("f=k|b b>j j)e", "ok");
    check("f=a|b a>j,e b>j j)e", "E0737");
    check("f=a|b a>j,x x>e b>j j)e", "E0737");
    check("f=a|b a>j,x x>k b>j j)e", "ok");
    check("f=a|d a>j d?e|j j)e", "E0737");
}

#[test]
fn error_paths() {
    check("f=a|b a>j,x x>j b>j j)e", "ok");
    check("f=a|b a>j,x b>j,x x>j j)e", "ok");
    check("f=a|b a>j,x b>j,x x>k j)e", "ok");
    check("f=a|b a>j,b b>j j)e", "ok");
    check("f=a|b a>b b>j j)e", "E0743");
    check("s>f,x f=a|b a>j b>j j)x x>e", "ok");
    check("s>a,a a>e", "ok");
    check("s>x,f f=a|b a>j b>j j)x x>e", "ok");
    check("f=a|b a>j b>j,g g=c|d c>i d>i i)j j)e", "ok");
    check("f=a|b a>j b>x x>j,j j)e", "ok");
    check("f=a|b a>j,t b>j j)t t>e", "E0737");
}

#[test]
fn decisions_inside_and_around_forks() {
    check("d?f|x f=a|b a>j b>j j)x x>e", "ok");
    check("f=d|b d?a|c a>j c>j b>j j)e", "ok");
    check("f=d|b d?a|k a>j b>j j)e", "ok");
    check("f=d|b d?a|c a>x c>x x>j b>j j)e", "ok");
    check("f=d|c d?a|b a>j b>j c>b j)e", "E0743");
    check("f=d|g d?a|b g?a|b a>j b>j j)e", "E0743");
    check("d?f|g f=a|b g=a|b a>j b>j j)e", "E0730");
    check("d?f|g f=a|b g=x|y a>j b>j x>j y>j j)e", "E0730");
    check("d?f|g f=a|b g=x|y a>j b>j x>i y>i j)z i)z z>e", "ok");
    check("d?j|f f=a|b a>j b>j j)e", "E0742");
    check("d?x|g g?x|h h?x|y x>e y>e", "ok");
    check("a>d d?x|y x>z y>z z>e", "ok");
    check("d?f|x f=x|b x>j b>j j)e", "E0742");
}

#[test]
fn joins_at_wrong_places() {
    check("f=a|b a>j b>j j)e x>j", "ok");
    check("j)f f=a|b a>k b>k", "E0742");
    check("f=a|b a>k b>k s>j j)e", "E0730");
    check("f=a|b a>j b>j,j j)e", "ok");
    check("f=g|h g=a|b h=c|d a>i b>i c>i d>i i)j j)l l)e", "E0733 E0742 E0758");
}

#[test]
fn paths_to_the_same_node() {
    check("f=a|a a>j j)e", "E0744");
    check("f=j|j j)e", "ok");
    check("f=a|j a>j j)e", "ok");
    check("f=k|k|a a>j j)e", "ok");
    check("f=a|b|a a>j b>j j)e", "E0744");
    check("f=g|g g=a|b a>i b>i i)j j)e", "E0744");
}

/// Four hundred decisions in a row have 2^400 ways through them; the walk takes each node once.
#[test]
fn many_ways_cost_no_more_than_many_nodes() {
    let link = |number: usize| {
        format!("d{number}?a{number}|b{number} a{number}>d{0} b{number}>d{0} ", number + 1)
    };
    let chain: String = (0..400).map(link).collect();
    check(&format!("{chain}d400>e"), "ok");
}

/// The walk does not use the stack of the thread.
#[test]
fn long_chains_are_walked() {
    let chain: String = (0..20_000)
        .map(|number| action(&format!("a{number}"), &format!("a{}", number + 1), "k"))
        .collect();
    let text = workflow(&format!(
        "<start to='a0'/>{chain}{}<kill name='k'><message/></kill><end name='e'/>",
        action("a20000", "e", "k")
    ));
    let limits = definition::Limits { max_bytes: text.len() };
    assert_eq!(
        codes(&read_workflow(WorkflowSources { limits, ..WorkflowSources::of(&text) })),
        "ok"
    );
}

/// What Oozie 5.2.1's own validator said of some hundred random graphs.
#[test]
fn recorded_verdicts_hold() {
    let lines = include_str!("../fork-verdicts.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for (verdict, shape) in lines.map(|line| line.split_once(" | ").expect("code | graph")) {
        let found = codes(&read_workflow(WorkflowSources::of(&workflow(&nodes(shape)))));
        assert!(
            found.split(' ').any(|code| code == verdict),
            "{shape}: Oozie says {verdict}, we say {found}"
        );
        count += 1;
    }
    assert!(count > 300, "the table was read");
}
