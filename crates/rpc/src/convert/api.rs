//! Submits, commands and what waits.

use std::sync::Arc;

use model::JobId;
use ports::api::{Command, SubmitRequest};

use crate::convert::{Malformed, configuration, job_id, needed, properties};
use crate::wire;
use crate::wire::command_request::Command as Given;

impl From<SubmitRequest> for wire::SubmitRequest {
    fn from(request: SubmitRequest) -> wire::SubmitRequest {
        wire::SubmitRequest {
            conf: properties(&request.conf),
            user: request.user,
            start: request.start,
            key: request.key,
        }
    }
}

impl From<wire::SubmitRequest> for SubmitRequest {
    fn from(request: wire::SubmitRequest) -> SubmitRequest {
        SubmitRequest {
            conf: configuration(request.conf),
            user: request.user,
            start: request.start,
            key: request.key,
        }
    }
}

impl From<Command> for Given {
    fn from(command: Command) -> Given {
        match command {
            Command::Start => Given::Start(wire::Empty {}),
            Command::Suspend => Given::Suspend(wire::Empty {}),
            Command::Resume => Given::Resume(wire::Empty {}),
            Command::Kill => Given::Kill(wire::Empty {}),
            Command::Rerun(conf) => Given::Rerun(wire::Rerun { conf: properties(&conf) }),
        }
    }
}

impl From<Given> for Command {
    fn from(command: Given) -> Command {
        match command {
            Given::Start(_) => Command::Start,
            Given::Suspend(_) => Command::Suspend,
            Given::Resume(_) => Command::Resume,
            Given::Kill(_) => Command::Kill,
            Given::Rerun(rerun) => Command::Rerun(configuration(rerun.conf)),
        }
    }
}

/// A command, the job that it is about, and who gave it.
pub(crate) struct Commanded {
    pub(crate) job: JobId,
    pub(crate) user: String,
    pub(crate) command: Command,
}

impl TryFrom<wire::CommandRequest> for Commanded {
    type Error = Malformed;

    fn try_from(request: wire::CommandRequest) -> Result<Commanded, Malformed> {
        let command = needed("command", request.command)?.into();
        Ok(Commanded { job: job_id(&request.job)?, user: request.user, command })
    }
}

impl From<Vec<(Arc<str>, u64)>> for wire::ReadyAttemptsReply {
    fn from(pools: Vec<(Arc<str>, u64)>) -> wire::ReadyAttemptsReply {
        let pools = pools.into_iter();
        let pools =
            pools.map(|(pool, attempts)| wire::ReadyPool { pool: pool.as_ref().into(), attempts });
        wire::ReadyAttemptsReply { pools: pools.collect() }
    }
}

impl From<wire::ReadyAttemptsReply> for Vec<(Arc<str>, u64)> {
    fn from(reply: wire::ReadyAttemptsReply) -> Vec<(Arc<str>, u64)> {
        reply.pools.into_iter().map(|one| (one.pool.into(), one.attempts)).collect()
    }
}
