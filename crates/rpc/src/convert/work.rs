//! What workers and schedulers say to each other.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use model::{
    Attempt, AttemptResult, Epoch, ErrorClass, Failure, NodeName, Phase, Run, Shard, Success,
    Token, WorkerId,
};
use ports::work::{CLAIM_TOKENS_MAX, FromWorker, Grant, HeldToken, Hello, ToWorker};
use prost::Message;

use crate::convert::reads::pieces;
use crate::convert::{Malformed, configuration, job_id, needed, properties, shard};
use crate::wire;
use crate::wire::finish::Result as Outcome;
use crate::wire::scheduler_says::Says as SchedulerWord;
use crate::wire::worker_says::Says as WorkerWord;

fn texts(tokens: &[Token]) -> Vec<String> {
    tokens.iter().map(|token| token.as_str().to_owned()).collect()
}

fn tokens(texts: Vec<String>) -> Vec<Token> {
    texts.into_iter().map(Token::new).collect()
}

fn text(token: &Token) -> String {
    token.as_str().to_owned()
}

impl From<WorkerWord> for wire::WorkerSays {
    fn from(word: WorkerWord) -> wire::WorkerSays {
        wire::WorkerSays { says: Some(word) }
    }
}

impl From<Hello> for wire::WorkerSays {
    fn from(hello: Hello) -> wire::WorkerSays {
        WorkerWord::Hello(wire::WorkerHello {
            worker: hello.worker.as_str().to_owned(),
            incarnation: hello.incarnation,
            pools: hello.pools,
        })
        .into()
    }
}

impl TryFrom<wire::WorkerSays> for Hello {
    type Error = Malformed;

    fn try_from(says: wire::WorkerSays) -> Result<Hello, Malformed> {
        let WorkerWord::Hello(hello) = needed("says", says.says)? else {
            return Err(Malformed::new("says", "a session begins with `hello`"));
        };
        Ok(Hello {
            worker: WorkerId::new(hello.worker),
            incarnation: hello.incarnation,
            pools: hello.pools,
        })
    }
}

impl From<FromWorker> for wire::WorkerSays {
    fn from(message: FromWorker) -> wire::WorkerSays {
        let word = match message {
            FromWorker::Claim { pool, tokens } => WorkerWord::Claim(claim(pool, &tokens)),
            FromWorker::Beat { tokens } => {
                WorkerWord::Beat(wire::WorkerBeat { tokens: texts(&tokens) })
            }
            FromWorker::Progressed { job, action, token, external_id, console_url } => {
                let (job, action, token) = (job.into(), action.as_str().to_owned(), text(&token));
                WorkerWord::Progressed(wire::Progressed {
                    job,
                    action,
                    token,
                    external_id,
                    console_url,
                })
            }
            FromWorker::Finish { job, action, token, result, next } => {
                WorkerWord::Finish(wire::Finish {
                    job: job.into(),
                    action: action.as_str().to_owned(),
                    token: text(&token),
                    result: Some(result.into()),
                    next: next.map(|(pool, tokens)| claim(pool, &tokens)),
                })
            }
            FromWorker::Holds { number, held } => {
                let held = held.into_iter().map(wire::HeldToken::from).collect();
                WorkerWord::Holds(wire::Holds { number, held })
            }
            FromWorker::Stopped { job, token } => {
                WorkerWord::Stopped(wire::Stopped { job: job.into(), token: text(&token) })
            }
        };
        word.into()
    }
}

impl From<HeldToken> for wire::HeldToken {
    fn from(held: HeldToken) -> wire::HeldToken {
        wire::HeldToken { token: text(&held.token), job: held.job.into() }
    }
}

impl TryFrom<wire::HeldToken> for HeldToken {
    type Error = Malformed;

    fn try_from(held: wire::HeldToken) -> Result<HeldToken, Malformed> {
        Ok(HeldToken { token: Token::new(held.token), job: job_id(&held.job)? })
    }
}

fn claim(pool: String, tokens: &[Token]) -> wire::Claim {
    wire::Claim { pool, tokens: texts(tokens) }
}

impl TryFrom<wire::WorkerSays> for FromWorker {
    type Error = Malformed;

    fn try_from(says: wire::WorkerSays) -> Result<FromWorker, Malformed> {
        Ok(match needed("says", says.says)? {
            WorkerWord::Hello(_) => {
                return Err(Malformed::new("says", "only the first message is a `hello`"));
            }
            WorkerWord::Claim(claim) => {
                let (pool, tokens) = claimed(claim)?;
                FromWorker::Claim { pool, tokens }
            }
            WorkerWord::Beat(beat) => FromWorker::Beat { tokens: tokens(beat.tokens) },
            WorkerWord::Progressed(one) => FromWorker::Progressed {
                job: job_id(&one.job)?,
                action: NodeName::new(one.action),
                token: Token::new(one.token),
                external_id: one.external_id,
                console_url: one.console_url,
            },
            WorkerWord::Finish(one) => FromWorker::Finish {
                job: job_id(&one.job)?,
                action: NodeName::new(one.action),
                token: Token::new(one.token),
                result: needed("result", one.result)?.try_into()?,
                next: one.next.map(claimed).transpose()?,
            },
            WorkerWord::Holds(holds) => FromWorker::Holds {
                number: holds.number,
                held: holds.held.into_iter().map(HeldToken::try_from).collect::<Result<_, _>>()?,
            },
            WorkerWord::Stopped(one) => {
                FromWorker::Stopped { job: job_id(&one.job)?, token: Token::new(one.token) }
            }
        })
    }
}

fn claimed(claim: wire::Claim) -> Result<(String, Vec<Token>), Malformed> {
    if claim.tokens.len() > CLAIM_TOKENS_MAX {
        return Err(Malformed::new("tokens", format!("more than {CLAIM_TOKENS_MAX} of them")));
    }
    Ok((claim.pool, tokens(claim.tokens)))
}

impl From<AttemptResult> for Outcome {
    fn from(result: AttemptResult) -> Outcome {
        match result {
            AttemptResult::Succeeded(success) => Outcome::Success(wire::Success {
                data: success.data,
                stats: success.stats,
                external_child_ids: success.external_child_ids,
                external_id: success.external_id,
                external_status: success.external_status,
            }),
            AttemptResult::Failed(failure) => Outcome::Failure(wire::Failure {
                class: wire::ErrorClass::from(failure.class).into(),
                phase: wire::Phase::from(failure.phase).into(),
                code: failure.code,
                message: failure.message,
                data: failure.data,
                external_id: failure.external_id,
                external_status: failure.external_status,
            }),
        }
    }
}

impl TryFrom<Outcome> for AttemptResult {
    type Error = Malformed;

    fn try_from(outcome: Outcome) -> Result<AttemptResult, Malformed> {
        Ok(match outcome {
            Outcome::Success(success) => AttemptResult::Succeeded(Success {
                data: success.data,
                stats: success.stats,
                external_child_ids: success.external_child_ids,
                external_id: success.external_id,
                external_status: success.external_status,
            }),
            Outcome::Failure(failure) => AttemptResult::Failed(Failure {
                class: failure.class().try_into()?,
                phase: failure.phase().try_into()?,
                code: failure.code,
                message: failure.message,
                data: failure.data,
                external_id: failure.external_id,
                external_status: failure.external_status,
            }),
        })
    }
}

impl From<ErrorClass> for wire::ErrorClass {
    fn from(class: ErrorClass) -> wire::ErrorClass {
        match class {
            ErrorClass::Transient => wire::ErrorClass::Transient,
            ErrorClass::NonTransient => wire::ErrorClass::NonTransient,
            ErrorClass::Error => wire::ErrorClass::Error,
            ErrorClass::Failed => wire::ErrorClass::Failed,
        }
    }
}

impl TryFrom<wire::ErrorClass> for ErrorClass {
    type Error = Malformed;

    fn try_from(class: wire::ErrorClass) -> Result<ErrorClass, Malformed> {
        match class {
            wire::ErrorClass::Unspecified => Err(Malformed::new("class", "it is not known")),
            wire::ErrorClass::Transient => Ok(ErrorClass::Transient),
            wire::ErrorClass::NonTransient => Ok(ErrorClass::NonTransient),
            wire::ErrorClass::Error => Ok(ErrorClass::Error),
            wire::ErrorClass::Failed => Ok(ErrorClass::Failed),
        }
    }
}

impl From<Phase> for wire::Phase {
    fn from(phase: Phase) -> wire::Phase {
        match phase {
            Phase::Start => wire::Phase::Start,
            Phase::Check => wire::Phase::Check,
            Phase::End => wire::Phase::End,
        }
    }
}

impl TryFrom<wire::Phase> for Phase {
    type Error = Malformed;

    fn try_from(phase: wire::Phase) -> Result<Phase, Malformed> {
        match phase {
            wire::Phase::Unspecified => Err(Malformed::new("phase", "it is not known")),
            wire::Phase::Start => Ok(Phase::Start),
            wire::Phase::Check => Ok(Phase::Check),
            wire::Phase::End => Ok(Phase::End),
        }
    }
}

/// What a scheduler says, in one message or, when it grants much, in several that follow each other.
pub(crate) fn scheduler_says(message: ToWorker) -> Vec<wire::SchedulerSays> {
    let acknowledged = |token: Token| wire::TokenAcknowledged { token: text(&token) };
    let word = match message {
        ToWorker::Grants { pool, grants } => return granted(&pool, &grants),
        ToWorker::Owns { number, shards } => {
            let shards = shards.iter().map(|(shard, epoch)| (shard.0.into(), epoch.0)).collect();
            SchedulerWord::Owns(wire::Owns { number, shards })
        }
        ToWorker::FinishAcknowledged { token } => {
            SchedulerWord::FinishAcknowledged(acknowledged(token))
        }
        ToWorker::Stop { job, token } => {
            SchedulerWord::Stop(wire::Stop { job: job.into(), token: text(&token) })
        }
        ToWorker::StoppedAcknowledged { token } => {
            SchedulerWord::StoppedAcknowledged(acknowledged(token))
        }
    };
    vec![wire::SchedulerSays { says: Some(word) }]
}

fn granted(pool: &str, grants: &[Grant]) -> Vec<wire::SchedulerSays> {
    let runs = pieces(grants.iter().map(wire::Grant::from), Message::encoded_len);
    let last = runs.len() - 1;
    let piece = |(number, grants)| wire::SchedulerSays {
        says: Some(SchedulerWord::Grants(wire::Grants {
            pool: pool.to_owned(),
            grants,
            more: number < last,
        })),
    };
    runs.into_iter().enumerate().map(piece).collect()
}

fn owned(shards: BTreeMap<u32, i64>) -> Result<BTreeMap<Shard, Epoch>, Malformed> {
    shards.into_iter().map(|(number, epoch)| Ok((shard(number)?, Epoch(epoch)))).collect()
}

/// Puts the pieces of grants together again.
#[derive(Default)]
pub(crate) struct Assembly {
    grants: Vec<Grant>,
}

impl Assembly {
    /// Takes a message; gives what is whole.
    pub(crate) fn take(
        &mut self,
        says: wire::SchedulerSays,
    ) -> Result<Option<ToWorker>, Malformed> {
        let word = needed("says", says.says)?;
        if !self.grants.is_empty() && !matches!(word, SchedulerWord::Grants(_)) {
            return Err(Malformed::new("says", "the rest of the grants is missing"));
        }
        Ok(Some(match word {
            SchedulerWord::Grants(piece) => return self.add(piece),
            SchedulerWord::Owns(owns) => {
                ToWorker::Owns { number: owns.number, shards: owned(owns.shards)? }
            }
            SchedulerWord::FinishAcknowledged(one) => {
                ToWorker::FinishAcknowledged { token: Token::new(one.token) }
            }
            SchedulerWord::Stop(one) => {
                ToWorker::Stop { job: job_id(&one.job)?, token: Token::new(one.token) }
            }
            SchedulerWord::StoppedAcknowledged(one) => {
                ToWorker::StoppedAcknowledged { token: Token::new(one.token) }
            }
        }))
    }

    fn add(&mut self, piece: wire::Grants) -> Result<Option<ToWorker>, Malformed> {
        for grant in piece.grants {
            self.grants.push(grant.try_into()?);
        }
        if self.grants.len() > CLAIM_TOKENS_MAX {
            return Err(Malformed::new("grants", format!("more than {CLAIM_TOKENS_MAX} of them")));
        }
        if piece.more {
            return Ok(None);
        }
        Ok(Some(ToWorker::Grants { pool: piece.pool, grants: mem::take(&mut self.grants) }))
    }
}

impl From<&Grant> for wire::Grant {
    fn from(grant: &Grant) -> wire::Grant {
        wire::Grant {
            token: text(&grant.token),
            job: grant.job.clone().into(),
            app_name: grant.app_name.as_ref().into(),
            action: grant.action.as_str().to_owned(),
            kind: grant.kind.as_ref().into(),
            run: grant.run.0,
            attempt: grant.attempt.0,
            retries: grant.retries,
            body: grant.body.as_ref().into(),
            user: grant.user.as_ref().into(),
            app_path: grant.app_path.as_ref().into(),
            conf: properties(&grant.conf),
            pool: grant.pool.as_ref().into(),
            shard: grant.shard.0.into(),
            epoch: grant.epoch.0,
            traceparent: grant.traceparent.clone(),
        }
    }
}

impl TryFrom<wire::Grant> for Grant {
    type Error = Malformed;

    fn try_from(grant: wire::Grant) -> Result<Grant, Malformed> {
        Ok(Grant {
            token: Token::new(grant.token),
            job: job_id(&grant.job)?,
            app_name: grant.app_name.into(),
            action: NodeName::new(grant.action),
            kind: grant.kind.into(),
            run: Run(grant.run),
            attempt: Attempt(grant.attempt),
            retries: grant.retries,
            body: grant.body.into(),
            user: grant.user.into(),
            app_path: grant.app_path.into(),
            conf: Arc::new(configuration(grant.conf)),
            pool: grant.pool.into(),
            shard: shard(grant.shard)?,
            epoch: Epoch(grant.epoch),
            traceparent: grant.traceparent,
        })
    }
}
