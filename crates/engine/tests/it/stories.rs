//! One story a rule: what happens, and what must come of it.

use engine::{Effect, Event, RerunRequest, Skip};
use model::action::Answer;
use model::job::{ParentRef, Rules};
use model::{
    ActionStatus, Attempt, AttemptResult, ErrorClass, Failure, JobStatus, Phase, Run, Success,
};

use crate::world::{Builder, World, error, name, ok};

fn chain() -> model::WorkflowApp {
    Builder::default().start("a").action("a", "b").action("b", "end").ends().build()
}

fn two_branches() -> model::WorkflowApp {
    Builder::default()
        .start("fork1")
        .fork("fork1", &["a", "b"])
        .action("a", "join1")
        .action("b", "join1")
        .join("join1", "c")
        .action("c", "end")
        .ends()
        .build()
}

#[test]
fn a_chain_runs_to_its_end() {
    let mut world = World::new(chain(), &[]);
    assert_eq!(world.status(), JobStatus::Running);
    world.run_ok("a");
    world.run_ok("b");
    assert_eq!(world.status(), JobStatus::Succeeded);
    assert_eq!(world.statuses(), [":start: OK", "a OK", "b OK", "end OK"]);
    world.check_replay();
}

#[test]
fn an_error_goes_to_the_kill_node_with_its_message() {
    let mut world = World::new(chain(), &[]);
    world.run_error("a", ErrorClass::Error, "JA018");
    assert_eq!(world.status(), JobStatus::Killed);
    let kill = world.job.action(&name("fail")).unwrap();
    assert_eq!(
        (kill.status, kill.error_code.as_deref(), kill.error_message.as_deref()),
        (ActionStatus::Ok, Some("E0729"), Some("failed at a"))
    );
}

#[test]
fn a_kill_message_that_cannot_be_evaluated_is_e0756() {
    let mut builder = Builder::default();
    builder
        .start("a")
        .action("a", "end")
        .node("fail", model::NodeKind::Kill { message: "${nothing}".to_owned() })
        .node("end", model::NodeKind::End);
    let mut world = World::new(builder.build(), &[]);
    world.run_error("a", ErrorClass::Error, "JA018");
    assert_eq!(
        (world.status(), world.action_status("fail")),
        (JobStatus::Killed, ActionStatus::Error)
    );
    assert_eq!(world.job.action(&name("fail")).unwrap().error_code.as_deref(), Some("E0756"));
}

#[test]
fn join_waits_for_all_branches() {
    let mut world = World::new(two_branches(), &[]);
    world.run_ok("a");
    assert!(world.job.action(&name("join1")).is_none());
    assert!(world.offers().iter().all(|(action, _)| action.as_str() == "b"));
    world.run_ok("b");
    world.run_ok("c");
    assert_eq!(world.status(), JobStatus::Succeeded);
    assert_eq!(world.job.action(&name("fork1")).unwrap().transition.as_deref(), Some("*"));
}

#[test]
fn nested_forks_join_inside_out() {
    let mut builder = Builder::default();
    builder
        .start("fork1")
        .fork("fork1", &["a", "fork2"])
        .action("a", "join1")
        .fork("fork2", &["b", "c"]);
    builder
        .action("b", "join2")
        .action("c", "join2")
        .join("join2", "d")
        .action("d", "join1")
        .join("join1", "end")
        .ends();
    let mut world = World::new(builder.build(), &[]);
    for action in ["b", "a", "c"] {
        world.run_ok(action);
    }
    assert_eq!(world.status(), JobStatus::Running);
    world.run_ok("d");
    assert_eq!(world.status(), JobStatus::Succeeded);
}

#[test]
fn an_error_in_one_branch_kills_its_siblings_and_their_processes() {
    let mut world = World::new(two_branches(), &[]);
    let sibling = world.claim("b");
    world.run_error("a", ErrorClass::Error, "JA018");
    assert_eq!(
        (world.status(), world.action_status("b")),
        (JobStatus::Killed, ActionStatus::Killed)
    );
    assert!(
        world
            .wishes()
            .iter()
            .any(|wish| matches!(wish, Effect::Stop { token, .. } if *token == sibling))
    );
    world.event(Event::Stopped { token: sibling }).unwrap();
    assert!(world.wishes().is_empty());
    world.check_replay();
}

#[test]
fn the_late_result_of_a_killed_attempt_only_confirms_its_end() {
    let mut world = World::new(chain(), &[]);
    let token = world.claim("a");
    world.event(Event::Killed).unwrap();
    assert!(world.finish("a", &token, ok()));
    assert_eq!(
        (world.status(), world.action_status("a")),
        (JobStatus::Killed, ActionStatus::Killed)
    );
    assert!(!world.finish("a", &token, ok()), "a second time it changes nothing");
}

#[test]
fn news_of_an_earlier_attempt_changes_nothing() {
    let app = Builder::default()
        .start("a")
        .action_with("a", "end", "fail", |a| a.retry_max = Some("2".to_owned()))
        .ends()
        .build();
    let mut world = World::new(app, &[]);
    let first = world.claim("a");
    world.finish("a", &first, error(ErrorClass::Error, "JA018"));
    assert_eq!(world.action_status("a"), ActionStatus::UserRetry);
    world.wake();
    let second = world.claim("a");
    assert!(!world.finish("a", &first, ok()));
    assert!(world.finish("a", &second, ok()));
    assert_eq!(world.status(), JobStatus::Succeeded);
}

#[test]
fn user_retries_are_capped_by_the_site_and_end_in_the_error_transition() {
    let app = Builder::default()
        .start("a")
        .action_with("a", "end", "fail", |a| a.retry_max = Some("99".to_owned()))
        .ends()
        .build();
    let mut world = World::new(app, &[]);
    for _ in 0..3 {
        world.run_error("a", ErrorClass::Error, "JA018");
        assert_eq!(world.action_status("a"), ActionStatus::UserRetry);
        world.wake();
    }
    world.run_error("a", ErrorClass::Error, "JA018");
    assert_eq!(
        (world.action_status("a"), world.status()),
        (ActionStatus::Error, JobStatus::Killed)
    );
    world.check_replay();
}

#[test]
fn a_code_that_no_retry_covers_is_not_retried() {
    let app = Builder::default()
        .start("a")
        .action_with("a", "end", "fail", |a| a.retry_max = Some("3".to_owned()))
        .ends()
        .build();
    let mut world = World::new(app.clone(), &[]);
    world.run_error("a", ErrorClass::Error, "XX999");
    assert_eq!(world.action_status("a"), ActionStatus::Error);
    let mut rules = Rules::default();
    rules.user_retry_codes.insert("ALL".to_owned());
    let mut world = World::with_rules(app, &[], rules);
    world.run_error("a", ErrorClass::Error, "XX999");
    assert_eq!(world.action_status("a"), ActionStatus::UserRetry);
}

#[test]
fn an_exponential_retry_doubles_its_wait() {
    let exponential = |a: &mut model::ActionNode| {
        a.retry_max = Some("3".to_owned());
        a.retry_interval = Some("1".to_owned());
        a.retry_policy = Some("exponential".to_owned());
    };
    let mut world = World::new(
        Builder::default().start("a").action_with("a", "end", "fail", exponential).ends().build(),
        &[],
    );
    for minutes in [1, 2, 4] {
        world.run_error("a", ErrorClass::Error, "JA018");
        let row = world.job.action(&name("a")).unwrap();
        assert_eq!(row.due_at.unwrap().since_ms(row.changed_at), minutes * 60_000);
        world.wake();
    }
}

#[test]
fn a_passing_failure_is_retried_and_then_handed_to_a_person() {
    let mut world = World::new(chain(), &[("oozie.wf.action.max.retries", "2")]);
    for _ in 0..2 {
        world.run_error("a", ErrorClass::Transient, "JA009");
        assert_eq!(world.action_status("a"), ActionStatus::StartRetry);
        world.wake();
    }
    world.run_error("a", ErrorClass::Transient, "JA009");
    assert_eq!(
        (world.action_status("a"), world.status()),
        (ActionStatus::StartManual, JobStatus::Suspended)
    );
    world.event(Event::Resumed).unwrap();
    world.run_ok("a");
    world.run_ok("b");
    assert_eq!(world.status(), JobStatus::Succeeded);
    world.check_replay();
}

#[test]
fn a_non_transient_failure_asks_a_person_at_once_and_an_end_failure_keeps_its_place() {
    let mut world = World::new(chain(), &[]);
    let token = world.claim("a");
    let at_end = Failure { phase: Phase::End, ..failure(ErrorClass::NonTransient, "JA002") };
    world.finish("a", &token, AttemptResult::Failed(at_end));
    assert_eq!(
        (world.action_status("a"), world.status()),
        (ActionStatus::EndManual, JobStatus::Suspended)
    );
    let mut world = World::new(chain(), &[]);
    world.run_error("a", ErrorClass::NonTransient, "JA002");
    assert_eq!(
        (world.action_status("a"), world.status()),
        (ActionStatus::StartManual, JobStatus::Suspended)
    );
}

fn failure(class: ErrorClass, code: &str) -> Failure {
    match error(class, code) {
        AttemptResult::Failed(failure) => failure,
        AttemptResult::Succeeded(_) => unreachable!("an error is a failure"),
    }
}

#[test]
fn a_passing_failure_at_the_end_is_retried_at_the_end() {
    let mut world = World::new(chain(), &[("oozie.wf.action.max.retries", "1")]);
    let token = world.claim("a");
    world.finish(
        "a",
        &token,
        AttemptResult::Failed(Failure {
            phase: Phase::End,
            ..failure(ErrorClass::Transient, "JA009")
        }),
    );
    assert_eq!(world.action_status("a"), ActionStatus::EndRetry);
    world.wake();
    assert_eq!(
        (world.action_status("a"), world.status()),
        (ActionStatus::EndManual, JobStatus::Suspended)
    );
}

#[test]
fn an_error_while_checking_fails_the_job_without_a_transition() {
    let mut world = World::new(chain(), &[]);
    let token = world.claim("a");
    world.finish(
        "a",
        &token,
        AttemptResult::Failed(Failure {
            phase: Phase::Check,
            ..failure(ErrorClass::Error, "XX001")
        }),
    );
    assert_eq!(
        (world.action_status("a"), world.status()),
        (ActionStatus::Failed, JobStatus::Failed)
    );
}

#[test]
fn a_failed_class_fails_the_job_and_its_siblings_are_killed() {
    let mut world = World::new(two_branches(), &[]);
    let _running = world.claim("b");
    world.run_error("a", ErrorClass::Failed, "JA010");
    assert_eq!(
        (world.status(), world.action_status("a"), world.action_status("b")),
        (JobStatus::Failed, ActionStatus::Failed, ActionStatus::Killed)
    );
    assert!(world.event(Event::Killed).is_ok(), "a FAILED job may be killed and stays FAILED");
    assert_eq!(world.status(), JobStatus::Failed);
}

#[test]
fn a_suspended_job_takes_results_and_goes_on_when_resumed() {
    let mut world = World::new(chain(), &[]);
    let token = world.claim("a");
    world.event(Event::Suspended).unwrap();
    world.finish("a", &token, ok());
    assert_eq!((world.action_status("a"), world.offers().len()), (ActionStatus::Done, 0));
    world.event(Event::Resumed).unwrap();
    assert_eq!(world.action_status("a"), ActionStatus::Ok);
    world.run_ok("b");
    assert_eq!(world.status(), JobStatus::Succeeded);
    world.check_replay();
}

#[test]
fn what_was_on_offer_is_on_offer_again_after_resume() {
    let mut world = World::new(chain(), &[]);
    world.event(Event::Suspended).unwrap();
    assert!(world.offers().is_empty());
    world.event(Event::Resumed).unwrap();
    world.run_ok("a");
}

#[test]
fn illegal_commands_are_silent_where_oozie_is() {
    let mut world = World::new(chain(), &[]);
    let refused = |world: &mut World, event| {
        world.event(event).map_err(|rejection| (rejection.code, rejection.silent))
    };
    assert_eq!(refused(&mut world, Event::Started), Err(("E0801", false)));
    assert_eq!(refused(&mut world, Event::Resumed), Err(("E1100", true)));
    world.event(Event::Killed).unwrap();
    assert_eq!(refused(&mut world, Event::Killed), Err(("E0725", true)));
    assert_eq!(refused(&mut world, Event::Suspended), Err(("E0727", true)));
    assert_eq!(refused(&mut world, Event::Started), Err(("E0801", true)));
}

#[test]
fn suspend_on_nodes_stops_before_the_node() {
    for (list, stopped_at) in [("b", "b"), (" x , b", "b"), ("*", ":start:")] {
        let mut world = World::new(chain(), &[("oozie.suspend.on.nodes", list)]);
        if list != "*" {
            world.run_ok("a");
        }
        assert_eq!(
            (world.status(), world.action_status(stopped_at)),
            (JobStatus::Suspended, ActionStatus::Prep),
            "{list}"
        );
        world.event(Event::Resumed).unwrap();
        assert_ne!(world.action_status(stopped_at), ActionStatus::Killed);
    }
}

#[test]
fn no_branch_of_a_fork_starts_when_one_is_listed() {
    let mut world = World::new(two_branches(), &[("oozie.suspend.on.nodes", "b")]);
    assert_eq!((world.status(), world.offers().len()), (JobStatus::Suspended, 0));
    world.event(Event::Resumed).unwrap();
    assert_eq!(world.offers().len(), 2);
}

#[test]
fn a_decision_takes_the_first_true_case() {
    let decide = |conf: &[(&str, &str)]| {
        let mut builder = Builder::default();
        builder
            .start("d")
            .decision("d", &[("${x eq 1}", "a"), ("${x eq 2}", "b")], "end")
            .action("a", "end")
            .action("b", "end")
            .ends();
        World::new(builder.build(), conf)
    };
    assert_eq!(decide(&[("x", "2")]).offers()[0].0, name("b"));
    assert_eq!(decide(&[("x", "1")]).offers()[0].0, name("a"));
    assert_eq!(decide(&[("x", "3")]).status(), JobStatus::Succeeded);
}

#[test]
fn an_error_in_a_later_case_breaks_the_decision() {
    let mut builder = Builder::default();
    builder
        .start("d")
        .decision("d", &[("true", "a"), ("${unknown}", "a")], "end")
        .action("a", "end")
        .ends();
    let world = World::new(builder.build(), &[]);
    assert_eq!(
        (world.status(), world.action_status("d")),
        (JobStatus::Failed, ActionStatus::Failed)
    );
    assert_eq!(world.job.action(&name("d")).unwrap().error_code.as_deref(), Some("EL_ERROR"));
}

#[test]
fn a_question_to_a_file_system_is_asked_and_answered() {
    let mut builder = Builder::default();
    builder
        .start("d")
        .decision("d", &[("${fs:exists('file:///x')}", "a")], "end")
        .action("a", "end")
        .ends();
    let mut world = World::new(builder.build(), &[]);
    let Some(Effect::Ask { action, of, questions }) = world.wishes().into_iter().next() else {
        panic!("nothing is asked")
    };
    assert_eq!(questions, [("fs:exists".to_owned(), vec!["file:///x".to_owned()])]);
    let answered = |answer| engine::Answered {
        function: "fs:exists".to_owned(),
        args: vec!["file:///x".to_owned()],
        answer,
    };
    let answers = vec![answered(Answer::Bool(true))];
    world.event(Event::Answered { action: action.clone(), of, answers: answers.clone() }).unwrap();
    assert!(
        !world.event(Event::Answered { action, of, answers }).unwrap(),
        "a second answer changes nothing"
    );
    world.run_ok("a");
    assert_eq!(world.status(), JobStatus::Succeeded);
    world.check_replay();
}

#[test]
fn an_unknown_variable_fails_the_job_and_never_becomes_empty() {
    let shell = |a: &mut model::ActionNode| {
        a.kind = "shell".to_owned();
        a.body =
            r#"<shell xmlns="uri:oozie:shell-action:1.0"><exec>${nothing}</exec></shell>"#.into();
    };
    let world = World::new(
        Builder::default().start("a").action_with("a", "end", "fail", shell).ends().build(),
        &[],
    );
    assert_eq!(
        (world.status(), world.action_status("a")),
        (JobStatus::Failed, ActionStatus::Failed)
    );
    assert_eq!(world.job.action(&name("a")).unwrap().error_code.as_deref(), Some("EL_ERROR"));
}

#[test]
fn captured_output_is_seen_by_later_nodes() {
    let mut builder = Builder::default();
    builder
        .start("a")
        .action("a", "d")
        .decision("d", &[("${wf:actionData('a')['answer'] eq '42'}", "b")], "end")
        .action("b", "end")
        .ends();
    let mut world = World::new(builder.build(), &[]);
    let token = world.claim("a");
    world.finish(
        "a",
        &token,
        AttemptResult::Succeeded(Success {
            data: Some("answer=42\n".to_owned()),
            ..Success::default()
        }),
    );
    world.run_ok("b");
}

#[test]
fn a_claim_that_was_never_begun_goes_back_on_offer_without_costing_a_retry() {
    let mut world = World::new(chain(), &[]);
    let lost = world.claim("a");
    world.event(Event::Returned { token: lost.clone() }).unwrap();
    assert!(!world.finish("a", &lost, ok()));
    world.run_ok("a");
    assert_eq!(world.job.action(&name("a")).unwrap().retries, 0);
    world.check_replay();
}

fn rerun(skip: Skip) -> Event {
    Event::Rerun(Box::new(RerunRequest {
        app: model::AppDigest::new("app"),
        app_name: "again".into(),
        app_path: "file:///apps/test".into(),
        conf: std::sync::Arc::default(),
        rules: std::sync::Arc::default(),
        skip,
        parent: None,
    }))
}

#[test]
fn a_rerun_of_the_failed_nodes_steps_over_what_was_ok() {
    let mut world = World::new(two_branches(), &[]);
    world.run_ok("a");
    world.run_error("b", ErrorClass::Error, "JA018");
    assert_eq!(world.status(), JobStatus::Killed);
    world.event(rerun(Skip::AllButFailed)).unwrap();
    assert_eq!((world.status(), world.job.header.run.0), (JobStatus::Running, 1));
    assert!(world.offers().iter().all(|(action, _)| action.as_str() == "b"));
    world.run_ok("b");
    world.run_ok("c");
    assert_eq!(world.status(), JobStatus::Succeeded);
    world.check_replay();
}

#[test]
fn a_rerun_may_skip_only_what_was_reached_and_ended() {
    let mut world = World::new(chain(), &[]);
    world.run_error("a", ErrorClass::Failed, "JA010");
    let refused = |world: &mut World, node: &str| {
        world.event(rerun(Skip::Nodes([name(node)].into()))).map_err(|rejection| rejection.code)
    };
    assert_eq!(refused(&mut world, "a"), Err("E0806"));
    assert_eq!(refused(&mut world, "b"), Err("E0807"));
    world.event(rerun(Skip::Nodes([].into()))).unwrap();
    assert_eq!(
        world.event(rerun(Skip::AllButFailed)).map_err(|rejection| rejection.code),
        Err("E0805")
    );
}

#[test]
fn a_child_may_be_kept_from_being_rerun_by_itself() {
    let parent = ParentRef {
        job: "0000001-261121142320042-howdah-W".parse().unwrap(),
        action: name("call"),
        run: Run(0),
        attempt: Attempt(1),
        depth: 1,
    };
    for (is_child, disabled, by_parent, expected) in [
        (true, "true", false, Err("E0755")),
        (true, " TRUE ", false, Err("E0755")),
        (true, "true", true, Ok(())),
        (true, "false", false, Ok(())),
        (false, "true", false, Ok(())),
    ] {
        let mut world = World::new(chain(), &[]);
        world.job.header.parent = is_child.then(|| parent.clone());
        world.run_error("a", ErrorClass::Error, "JA018");
        let Event::Rerun(mut request) = rerun(Skip::AllButFailed) else { unreachable!() };
        request.conf =
            std::sync::Arc::new([("oozie.wf.rerun.disablechild", disabled)].into_iter().collect());
        request.parent = by_parent.then(|| parent.clone());
        let outcome = world.event(Event::Rerun(request)).map(|_| ()).map_err(|said| said.code);
        assert_eq!(outcome, expected, "{:?}", (is_child, disabled, by_parent));
    }
}

#[test]
fn an_attempt_waits_until_the_one_before_it_has_stopped() {
    let mut world = World::new(chain(), &[]);
    let old = world.claim("a");
    world.event(Event::Killed).unwrap();
    world.event(rerun(Skip::Nodes([].into()))).unwrap();
    assert!(world.offers().is_empty(), "two attempts of one action never run at the same time");
    world.event(Event::Stopped { token: old }).unwrap();
    world.run_ok("a");
}

#[test]
fn a_large_fork_goes_on_in_the_next_turn() {
    let branches: Vec<String> = (0..1_234).map(|index| format!("a{index}")).collect();
    let mut builder = Builder::default();
    builder.start("fork1").fork("fork1", &branches.iter().map(String::as_str).collect::<Vec<_>>());
    for branch in &branches {
        builder.action(branch, "join1");
    }
    let mut world = World::new(builder.join("join1", "end").ends().build(), &[]);
    let mut turns = 1;
    while world.wishes().contains(&Effect::Continue) {
        world.event(Event::Continued).unwrap();
        turns += 1;
    }
    assert_eq!((turns, world.offers().len()), (3, 1_234));
}

#[test]
fn notifications_are_wanted_until_they_are_delivered_or_given_up() {
    let conf = [
        ("oozie.wf.workflow.notification.url", "http://x/?id=$jobId&s=$status"),
        ("oozie.wf.action.notification.url", "http://y/$nodeName/$status"),
    ];
    let mut world = World::new(chain(), &conf);
    world.run_ok("a");
    let wanted = |world: &World| -> Vec<(u64, String)> {
        let notification = |wish: Effect| match wish {
            Effect::Notify { number, url, .. } => Some((number, url)),
            _ => None,
        };
        world.wishes().into_iter().filter_map(notification).collect()
    };
    let urls: Vec<String> = wanted(&world).into_iter().map(|(_, url)| url).collect();
    assert_eq!(
        urls,
        [
            "http://x/?id=0000001-261122144400000-howdah-W&s=RUNNING",
            "http://y/a/S:RUNNING",
            "http://y/a/T:b"
        ]
    );
    world.event(Event::Notified { number: 1, delivered: true }).unwrap();
    for _ in 0..3 {
        world.event(Event::Notified { number: 2, delivered: false }).unwrap();
    }
    assert_eq!(wanted(&world).len(), 1);
}

#[test]
fn the_end_reached_in_a_branch_ends_the_job_and_kills_the_others() {
    let mut builder = Builder::default();
    builder
        .start("fork1")
        .fork("fork1", &["a", "b"])
        .action("a", "end")
        .action("b", "join1")
        .join("join1", "end")
        .ends();
    let mut world = World::new(builder.build(), &[]);
    world.run_ok("a");
    assert_eq!(
        (world.status(), world.action_status("b")),
        (JobStatus::Succeeded, ActionStatus::Killed)
    );
}
