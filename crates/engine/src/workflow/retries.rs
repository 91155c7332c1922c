//! Trying again: by the system for what passes by itself, by the definition's `retry-max` for errors, by a person
//! for the rest (census §1.9; gotchas 27, 30).

use model::action::EarlierAttempt;
use model::{
    ActionNode, ActionStatus, AttemptResult, ErrorClass, Failure, NodeName, Phase, RetryPolicy,
    UserRetry,
};

use super::draft::Draft;
use super::{expressions, results, walk};

/// Longest wait between tries: beyond it a person would think that nothing happens any more.
const RETRY_WAIT_MS_MAX: i64 = 7 * 24 * 3_600_000;

/// The retry attributes of an action, evaluated with the job's configuration, capped by the site (gotcha 30).
/// What cannot be evaluated was refused at submit; a later definition error counts as "no retry".
pub(super) fn user_retry_of(draft: &Draft<'_>, node: &ActionNode) -> UserRetry {
    let rules = &draft.header().rules;
    let number = |attribute: &Option<String>| -> Option<u32> {
        attribute
            .as_deref()
            .and_then(|text| expressions::attribute(draft.header(), text).ok())
            .and_then(|text| text.trim().parse().ok())
    };
    let policy =
        node.retry_policy.as_deref().map(|text| expressions::attribute(draft.header(), text));
    UserRetry {
        count: 0,
        max: number(&node.retry_max).unwrap_or(0).min(rules.user_retry_max),
        interval_minutes: number(&node.retry_interval).unwrap_or(rules.user_retry_interval_minutes),
        policy: policy.and_then(Result::ok).map_or(RetryPolicy::Periodic, |word| policy_of(&word)),
    }
}

fn policy_of(word: &str) -> RetryPolicy {
    if word.trim().eq_ignore_ascii_case("exponential") {
        RetryPolicy::Exponential
    } else {
        RetryPolicy::Periodic
    }
}

/// Waits for the definition's next try, if it has one left for this code. Answers whether it does.
pub(super) fn user_retry(draft: &mut Draft<'_>, name: &NodeName, failure: &Failure) -> bool {
    let codes = &draft.header().rules.user_retry_codes;
    let covered = codes.contains("ALL") || codes.contains(failure.code.as_str());
    let Some(retry) = draft.action(name).map(|action| action.user_retry) else { return false };
    if !covered || retry.count >= retry.max {
        return false;
    }
    let wait_ms = wait_ms(i64::from(retry.interval_minutes) * 60_000, retry.policy, retry.count);
    next_attempt(draft, name, ActionStatus::UserRetry, wait_ms);
    if let Some(action) = draft.action_mut(name) {
        action.user_retry.count += 1;
    }
    true
}

/// `interval`, or `interval · 2^tries` (gotcha 30).
fn wait_ms(interval_ms: i64, policy: RetryPolicy, tries: u32) -> i64 {
    let factor = match policy {
        RetryPolicy::Periodic => 1,
        RetryPolicy::Exponential => 1_i64 << tries.min(40),
    };
    interval_ms.saturating_mul(factor).min(RETRY_WAIT_MS_MAX)
}

/// A passing failure: tried again by itself up to the limit, then a person is asked (gotcha 27).
pub(super) fn retry_or_ask(draft: &mut Draft<'_>, name: &NodeName, failure: Failure) {
    let Some(retries) = draft.action(name).map(|action| action.retries) else { return };
    let (max, interval_ms) = limits(draft);
    if retries >= max {
        return ask_person(draft, name, failure);
    }
    let wait_ms = wait_ms(interval_ms, draft.header().rules.retry_policy, retries);
    match failure.phase {
        Phase::Start | Phase::Check => next_attempt(draft, name, ActionStatus::StartRetry, wait_ms),
        Phase::End => wait_for_end(draft, name, wait_ms, &failure),
    }
    if let Some(action) = draft.action_mut(name) {
        action.retries += 1;
    }
}

/// `oozie.wf.action.max.retries` and `oozie.wf.action.retry.interval` of the job, else the site's (census §1.9).
fn limits(draft: &Draft<'_>) -> (u32, i64) {
    let header = draft.header();
    let number =
        |name: &str| header.conf.get(name).and_then(|text| text.trim().parse::<u32>().ok());
    let max = number("oozie.wf.action.max.retries").unwrap_or(header.rules.retries_max);
    let seconds =
        number("oozie.wf.action.retry.interval").unwrap_or(header.rules.retry_interval_seconds);
    (max, i64::from(seconds) * 1000)
}

fn wait_for_end(draft: &mut Draft<'_>, name: &NodeName, wait_ms: i64, failure: &Failure) {
    let due_at = draft.now.plus_ms(wait_ms);
    if let Some(action) = draft.action_mut(name) {
        action.status = ActionStatus::EndRetry;
        action.due_at = Some(due_at);
        action.result = Some(AttemptResult::Failed(failure.clone()));
    }
}

/// START_MANUAL or END_MANUAL, and the job is suspended until somebody resumes it.
pub(super) fn ask_person(draft: &mut Draft<'_>, name: &NodeName, failure: Failure) {
    let message = format!(
        "action `{name}` needs a person: {}: {}; mend it and resume the job",
        failure.code, failure.message
    );
    match failure.phase {
        Phase::Start | Phase::Check => next_attempt(draft, name, ActionStatus::StartManual, 0),
        Phase::End => {
            if let Some(action) = draft.action_mut(name) {
                action.status = ActionStatus::EndManual;
                action.due_at = None;
                action.result = Some(AttemptResult::Failed(failure));
            }
        }
    }
    if let Some(action) = draft.action_mut(name) {
        action.due_at = None;
    }
    walk::suspend_job(draft, "HW1001", message);
}

/// Moves on to the next attempt now, so that news of this one is stale at once; it starts when its time has come.
fn next_attempt(draft: &mut Draft<'_>, name: &NodeName, status: ActionStatus, wait_ms: i64) {
    let now = draft.now;
    let Some(action) = draft.action_mut(name) else { return };
    action.earlier.push(EarlierAttempt {
        attempt: action.attempt,
        started_at: action.started_at,
        ended_at: now,
        error_code: action.error_code.clone(),
    });
    action.status = status;
    action.attempt = action.attempt.next();
    action.due_at = Some(now.plus_ms(wait_ms));
    action.evaluated = false;
    action.questions.clear();
    action.claim = None;
    action.result = None;
    action.child = None;
}

/// The same work as a new attempt, at once.
pub(super) fn offer_again(draft: &mut Draft<'_>, name: &NodeName) {
    next_attempt(draft, name, ActionStatus::StartRetry, 0);
    if let Some(action) = draft.action_mut(name) {
        action.due_at = None;
        action.evaluated = true;
    }
}

/// A moment came: whatever is due now goes on.
pub(super) fn woke(draft: &mut Draft<'_>) {
    super::notify::woke(draft);
    if !draft.is_running() {
        return;
    }
    let now = draft.now;
    for name in draft.live_names() {
        if draft.action(&name).and_then(|action| action.due_at).is_some_and(|due_at| due_at <= now)
        {
            go_on(draft, &name);
        }
    }
}

/// Begins the waiting attempt, or deals with the waiting end again.
fn go_on(draft: &mut Draft<'_>, name: &NodeName) {
    let Some(action) = draft.action_mut(name) else { return };
    action.due_at = None;
    match action.status {
        ActionStatus::StartRetry | ActionStatus::UserRetry => {
            draft.beginning.push_back(name.clone())
        }
        ActionStatus::EndRetry => resettle(draft, name),
        ActionStatus::Prep
        | ActionStatus::Running
        | ActionStatus::Ok
        | ActionStatus::Error
        | ActionStatus::StartManual
        | ActionStatus::Done
        | ActionStatus::EndManual
        | ActionStatus::Killed
        | ActionStatus::Failed => {}
    }
}

fn resettle(draft: &mut Draft<'_>, name: &NodeName) {
    if let Some(result) = draft.action_mut(name).and_then(|action| action.result.take()) {
        results::settle(draft, name, &result);
    }
}

/// A person has looked at an end that could not be dealt with and goes on: it counts as an error. (Oozie asks the executor
/// again; here the result is known, and asking again would tell the same for ever.)
fn accept_end(draft: &mut Draft<'_>, name: &NodeName) {
    match draft.action_mut(name).and_then(|action| action.result.take()) {
        Some(AttemptResult::Failed(failure)) => {
            results::fail(draft, name, Failure { class: ErrorClass::Error, ..failure })
        }
        Some(succeeded) => results::settle(draft, name, &succeeded),
        None => {}
    }
}

/// The job runs again: what a person was waited for starts anew, what ended meanwhile is dealt with (gotcha 17).
pub(super) fn resumed(draft: &mut Draft<'_>, name: &NodeName) {
    let Some(action) = draft.action(name) else { return };
    match action.status {
        ActionStatus::Prep
            if !action.evaluated && action.questions.iter().all(|q| q.answer.is_some()) =>
        {
            draft.beginning.push_back(name.clone());
        }
        ActionStatus::StartManual => {
            if let Some(action) = draft.action_mut(name) {
                action.status = ActionStatus::StartRetry;
                action.retries = 0;
            }
            draft.beginning.push_back(name.clone());
        }
        ActionStatus::Done => {
            if let Some(action) = draft.action_mut(name) {
                action.retries = 0;
            }
            resettle(draft, name);
        }
        ActionStatus::EndManual => accept_end(draft, name),
        ActionStatus::StartRetry | ActionStatus::UserRetry
            if action.due_at.is_none() && !action.evaluated =>
        {
            draft.beginning.push_back(name.clone());
        }
        ActionStatus::StartRetry | ActionStatus::UserRetry | ActionStatus::EndRetry => {
            if action.due_at.is_some_and(|due_at| due_at <= draft.now) {
                go_on(draft, name);
            }
        }
        ActionStatus::Prep
        | ActionStatus::Running
        | ActionStatus::Ok
        | ActionStatus::Error
        | ActionStatus::Killed
        | ActionStatus::Failed => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_policy_and_stop_at_the_bound() {
        assert_eq!(wait_ms(600_000, RetryPolicy::Periodic, 5), 600_000);
        assert_eq!(wait_ms(600_000, RetryPolicy::Exponential, 0), 600_000);
        assert_eq!(wait_ms(600_000, RetryPolicy::Exponential, 2), 2_400_000);
        assert_eq!(wait_ms(i64::MAX / 2, RetryPolicy::Exponential, 40), RETRY_WAIT_MS_MAX);
    }

    #[test]
    fn policies_are_read_as_oozie_reads_them() {
        assert_eq!(policy_of(" EXPONENTIAL "), RetryPolicy::Exponential);
        assert_eq!(policy_of("periodic"), RetryPolicy::Periodic);
    }
}
