//! HTTP notifications that users ask for: remembered until delivered or given up (gotcha 37; Oozie loses them on restart).

use model::job::Notification;
use model::{ActionStatus, NodeName};

use super::draft::Draft;

/// Notifications that one job may have waiting; beyond it the oldest is given up, as best effort allows.
const WAITING_MAX: usize = 1_000;

/// The job's status changed: `oozie.wf.workflow.notification.url`.
pub(super) fn job_changed(draft: &mut Draft<'_>) {
    let header = draft.header();
    let Some(url) = header.conf.get("oozie.wf.workflow.notification.url") else { return };
    let parent = header
        .parent
        .as_ref()
        .map_or_else(String::new, |parent| format!("{}@{}", parent.job, parent.action));
    let url = url
        .replace("$jobId", header.id.as_str())
        .replace("$status", header.status.as_str())
        .replace("$parentId", &parent);
    let proxy = header.conf.get("oozie.wf.workflow.notification.proxy").map(str::to_owned);
    remember(draft, url, proxy);
}

/// An action started (`S:` and its status) or took its transition (`T:` and where to): `oozie.wf.action.notification.url`.
pub(super) fn action_changed(draft: &mut Draft<'_>, name: &NodeName) {
    let header = draft.header();
    let Some(url) = header.conf.get("oozie.wf.action.notification.url") else { return };
    let Some(action) = draft.action(name) else { return };
    let status = match (&action.transition, action.status) {
        (Some(to), ActionStatus::Ok | ActionStatus::Error) => format!("T:{to}"),
        (_, status) => format!("S:{status}"),
    };
    let url = url
        .replace("$jobId", header.id.as_str())
        .replace("$nodeName", name.as_str())
        .replace("$status", &status);
    let proxy = header.conf.get("oozie.wf.action.notification.proxy").map(str::to_owned);
    remember(draft, url, proxy);
}

fn remember(draft: &mut Draft<'_>, url: String, proxy: Option<String>) {
    let header = draft.header_mut();
    if header.notifications.len() >= WAITING_MAX {
        header.notifications.pop_first();
    }
    let number = header.next_notification;
    header.next_notification += 1;
    header.notifications.insert(number, Notification { url, proxy, tries: 0, due_at: None });
}

/// A try is over: delivered, to be tried again, or given up.
pub(super) fn notified(draft: &mut Draft<'_>, number: u64, delivered: bool) {
    let rules = &draft.header().rules;
    let (tries_max, interval_ms) =
        (rules.notification_tries_max, i64::from(rules.notification_interval_ms));
    let Some(tries) = draft.header().notifications.get(&number).map(|waiting| waiting.tries + 1)
    else {
        return;
    };
    let due_at = draft.now.plus_ms(interval_ms);
    let waiting = &mut draft.header_mut().notifications;
    if delivered || tries >= tries_max {
        waiting.remove(&number);
    } else if let Some(notification) = waiting.get_mut(&number) {
        notification.tries = tries;
        notification.due_at = Some(due_at);
    }
}

/// Notifications whose next try is due are wanted again.
pub(super) fn woke(draft: &mut Draft<'_>) {
    let now = draft.now;
    let due = |waiting: &Notification| waiting.due_at.is_some_and(|due_at| due_at <= now);
    if !draft.header().notifications.values().any(due) {
        return;
    }
    for notification in draft.header_mut().notifications.values_mut() {
        if notification.due_at.is_some_and(|due_at| due_at <= now) {
            notification.due_at = None;
        }
    }
}
