//! `show=graph`: the picture of a workflow with the statuses of its actions.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use definition::{SiteDefaults, WorkflowSources, read_workflow};
use graph::{Diagram, Edge, EdgeKind};
use model::{ActionNode, Node, NodeKind, WorkflowApp, WorkflowJob};
use ports::store::AppSource;

use super::{TEXT, reply};
use crate::config::App;
use crate::error::Failure;
use crate::params::Params;
use crate::read;

/// Answers the picture; PNG unless `format` says otherwise. Kill nodes only with `show-kill`.
pub(super) async fn show(app: &App, id: &str, params: &Params) -> Result<Response, Failure> {
    let format = Format::of(params.get("format"))?;
    let job = read::job(app, &read::job_id(id)?).await?;
    let source = read::source(app, &job.header).await?;
    let show_kill = params.is_set("show-kill");
    let drawing = Arc::clone(&app.drawings).acquire_owned().await;
    let drawn = tokio::task::spawn_blocking(move || {
        let _drawing = drawing;
        let app = workflow(&source)?;
        draw(&diagram(&app, &job, show_kill), format)
    });
    drawn.await.map_err(|error| undrawable(&error))?
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Dot,
    Svg,
    Png,
}

impl Format {
    fn of(word: Option<&str>) -> Result<Format, Failure> {
        match word.unwrap_or("").to_lowercase().as_str() {
            "" | "png" => Ok(Format::Png),
            "svg" => Ok(Format::Svg),
            "dot" => Ok(Format::Dot),
            other => Err(Failure::bad_value("format", other).help("png, svg or dot")),
        }
    }
}

/// The definition was accepted at submit; addresses that the site adds to actions do not matter for its picture.
fn workflow(source: &AppSource) -> Result<WorkflowApp, Failure> {
    let anything = Some("-".to_owned());
    let site = SiteDefaults { name_node: anything.clone(), resource_manager: anything };
    let sources = WorkflowSources {
        site: &site,
        validate_fork_join: false,
        ..WorkflowSources::of(&source.definition)
    };
    read_workflow(sources).map_err(|diagnostics| Failure {
        diagnostics,
        ..undrawable(&"its definition cannot be read")
    })
}

fn draw(diagram: &Diagram, format: Format) -> Result<Response, Failure> {
    match format {
        Format::Dot => Ok(reply(TEXT, graph::dot(diagram))),
        Format::Svg => Ok(reply("image/svg+xml", graph::svg(diagram))),
        Format::Png => graph::png(diagram)
            .map(|image| reply("image/png", image))
            .map_err(|error| undrawable(&error)),
    }
}

/// Oozie answers 404 with `E0307` to whatever goes wrong with a picture.
fn undrawable(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "E0307",
        format!("Runtime error [the workflow cannot be drawn: {why}]"),
    )
}

fn diagram(app: &WorkflowApp, job: &WorkflowJob, show_kill: bool) -> Diagram {
    let nodes: Vec<&Node> = app.order.iter().filter_map(|name| app.node(name)).collect();
    Diagram {
        nodes: nodes.iter().map(|node| drawn(node, job)).collect(),
        edges: nodes.iter().flat_map(|node| edges(node)).collect(),
        show_kill,
    }
}

fn drawn(node: &Node, job: &WorkflowJob) -> graph::Node {
    let kind = match node.kind {
        NodeKind::Start { .. } => graph::NodeKind::Start,
        NodeKind::End => graph::NodeKind::End,
        NodeKind::Kill { .. } => graph::NodeKind::Kill,
        NodeKind::Decision { .. } => graph::NodeKind::Decision,
        NodeKind::Fork { .. } => graph::NodeKind::Fork,
        NodeKind::Join { .. } => graph::NodeKind::Join,
        NodeKind::Action(_) => graph::NodeKind::Action,
    };
    let status = job.action(&node.name).map(|action| action.status.as_str().to_owned());
    graph::Node {
        name: node.name.to_string(),
        kind,
        label: node.kind.type_word().to_owned(),
        status,
    }
}

fn edges(node: &Node) -> Vec<Edge> {
    let ways: Vec<(EdgeKind, &model::NodeName)> = match &node.kind {
        NodeKind::Start { to } | NodeKind::Join { to } => vec![(EdgeKind::Ok, to)],
        NodeKind::End | NodeKind::Kill { .. } => Vec::new(),
        NodeKind::Fork { paths } => paths.iter().map(|to| (EdgeKind::Path, to)).collect(),
        NodeKind::Decision { cases, default } => {
            let cases = cases.iter().map(|case| (EdgeKind::Case(case.predicate.clone()), &case.to));
            cases.chain([(EdgeKind::Default, default)]).collect()
        }
        NodeKind::Action(ActionNode { ok, error, .. }) => {
            vec![(EdgeKind::Ok, ok), (EdgeKind::Error, error)]
        }
    };
    ways.into_iter()
        .map(|(kind, to)| Edge { from: node.name.to_string(), to: to.to_string(), kind })
        .collect()
}
