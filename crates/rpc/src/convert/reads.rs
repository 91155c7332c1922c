//! Stored things, in pieces where they may be large.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::job::JobHeader;
use model::{Timestamp, WorkflowAction, WorkflowJob};
use ports::store::{HistoryLine, JobFilter, JobPage};
use prost::Message;

use crate::convert::{
    Malformed, configuration, document, job_id, needed, properties, shard, value,
};
use crate::wire;

/// A piece is closed when it is so long: far below the longest message, and long enough that few are needed.
const PIECE_BYTES: usize = 1 << 20;

/// Items in runs of about [`PIECE_BYTES`]; at least one run.
pub(crate) fn pieces<T>(
    items: impl IntoIterator<Item = T>,
    length: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut runs = vec![Vec::new()];
    let mut bytes = 0;
    for item in items {
        if bytes >= PIECE_BYTES {
            runs.push(Vec::new());
            bytes = 0;
        }
        bytes += length(&item);
        runs.last_mut().expect("there is one from the beginning").push(item);
    }
    runs
}

/// A job in pieces.
pub(crate) fn job_pieces(job: &WorkflowJob) -> Vec<wire::JobPiece> {
    let actions = job.actions.values().map(|action| document(action.as_ref()));
    let runs = pieces(actions, Vec::len).into_iter();
    let mut pieces: Vec<wire::JobPiece> =
        runs.map(|actions| wire::JobPiece { actions, ..wire::JobPiece::default() }).collect();
    let first = pieces.first_mut().expect("there is at least one run");
    first.header = Some(document(&job.header));
    first.conf = properties(&job.header.conf);
    pieces
}

/// A job from its pieces.
pub(crate) fn job(pieces: Vec<wire::JobPiece>) -> Result<Option<WorkflowJob>, Malformed> {
    let mut header: Option<JobHeader> = None;
    let mut actions = BTreeMap::new();
    for piece in pieces {
        if let Some(json) = &piece.header {
            let mut read: JobHeader = value(json)?;
            read.conf = Arc::new(configuration(piece.conf));
            header = Some(read);
        }
        for json in &piece.actions {
            let action: WorkflowAction = value(json)?;
            actions.insert(action.name.clone(), Arc::new(action));
        }
    }
    match header {
        None if actions.is_empty() => Ok(None),
        header => Ok(Some(WorkflowJob { header: needed("header", header)?, actions })),
    }
}

/// A page in pieces.
pub(crate) fn page_pieces(page: &JobPage) -> Vec<wire::JobPagePiece> {
    let runs = pieces(page.jobs.iter().map(document), Vec::len).into_iter();
    let mut pieces: Vec<wire::JobPagePiece> =
        runs.map(|jobs| wire::JobPagePiece { jobs, total: None }).collect();
    pieces.first_mut().expect("there is at least one run").total = Some(page.total);
    pieces
}

/// A page from its pieces.
pub(crate) fn page(pieces: Vec<wire::JobPagePiece>) -> Result<JobPage, Malformed> {
    let mut total = None;
    let mut jobs = Vec::new();
    for piece in pieces {
        total = total.or(piece.total);
        for json in &piece.jobs {
            jobs.push(value(json)?);
        }
    }
    Ok(JobPage { jobs, total: needed("total", total)? })
}

/// Lines in pieces.
pub(crate) fn history_pieces(lines: Vec<HistoryLine>) -> Vec<wire::HistoryPiece> {
    let lines = lines.into_iter().map(wire::HistoryLine::from);
    let runs = pieces(lines, Message::encoded_len).into_iter();
    runs.map(|lines| wire::HistoryPiece { lines }).collect()
}

/// Lines from their pieces.
pub(crate) fn history(pieces: Vec<wire::HistoryPiece>) -> Result<Vec<HistoryLine>, Malformed> {
    let lines = pieces.into_iter().flat_map(|piece| piece.lines);
    lines.map(HistoryLine::try_from).collect()
}

impl From<HistoryLine> for wire::HistoryLine {
    fn from(line: HistoryLine) -> wire::HistoryLine {
        wire::HistoryLine {
            shard: line.shard.0.into(),
            n: line.n,
            at: line.at.as_ms(),
            job: line.job.into(),
            name: line.name,
            event: line.event,
            engine: line.engine,
        }
    }
}

impl TryFrom<wire::HistoryLine> for HistoryLine {
    type Error = Malformed;

    fn try_from(line: wire::HistoryLine) -> Result<HistoryLine, Malformed> {
        Ok(HistoryLine {
            shard: shard(line.shard)?,
            n: line.n,
            at: Timestamp(line.at),
            job: job_id(&line.job)?,
            name: line.name,
            event: line.event,
            engine: line.engine,
        })
    }
}

impl From<&JobFilter> for wire::JobFilter {
    fn from(filter: &JobFilter) -> wire::JobFilter {
        wire::JobFilter {
            ids: filter.ids.clone(),
            users: filter.users.clone(),
            groups: filter.groups.clone(),
            names: filter.names.clone(),
            statuses: filter.statuses.iter().map(|status| status.as_str().to_owned()).collect(),
            texts: filter.texts.clone(),
            created_from: filter.created_from.map(Timestamp::as_ms),
            created_to: filter.created_to.map(Timestamp::as_ms),
            parent: filter.parent.clone().map(String::from),
            by_last_modified: filter.by_last_modified,
            offset: filter.offset,
            len: filter.len,
        }
    }
}

impl TryFrom<wire::JobFilter> for JobFilter {
    type Error = Malformed;

    fn try_from(filter: wire::JobFilter) -> Result<JobFilter, Malformed> {
        let statuses = filter.statuses.iter().map(|word| word.parse()).collect::<Result<_, _>>();
        Ok(JobFilter {
            ids: filter.ids,
            users: filter.users,
            groups: filter.groups,
            names: filter.names,
            statuses: statuses.map_err(|error| Malformed::new("statuses", error))?,
            texts: filter.texts,
            created_from: filter.created_from.map(Timestamp),
            created_to: filter.created_to.map(Timestamp),
            parent: filter.parent.as_deref().map(job_id).transpose()?,
            by_last_modified: filter.by_last_modified,
            offset: filter.offset,
            len: filter.len,
        })
    }
}
