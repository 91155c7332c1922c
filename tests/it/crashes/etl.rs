//! The workflows that the crash tests run: an ETL whose every shell action is a witness, and one long action.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testkit::server::Server;

use crate::witness;

/// The witness actions of the whole family of jobs; each must start and end exactly once.
pub(crate) const WITNESSES: [&str; 10] = [
    "fetch",
    "clean",
    "by-country",
    "by-category",
    "score",
    "check",
    "report",
    "copy",
    "pack",
    "count",
];

/// An application on disk, its output and its witness file.
#[derive(Debug)]
pub(crate) struct Application {
    app: PathBuf,
    out: PathBuf,
    pub(crate) witness: PathBuf,
}

impl Application {
    /// Side by side: fetch (captured) → clean → two at once → join → sub-workflow → check → decision → fs (move) →
    /// report; and copy → pack → count → noop, so that at most moments something runs.
    pub(crate) fn etl(dir: &Path) -> Application {
        let application = Application::make(dir, &etl());
        let child = application.app.join("child");
        write(
            &child,
            &workflow(
                "child",
                &format!("<start to=\"score\"/>{}", witness("score", "sleep 0.08", "", "end")),
            ),
        );
        application
    }

    /// One action that does not end by itself.
    pub(crate) fn endless(dir: &Path) -> Application {
        Application::make(
            dir,
            &workflow(
                "endless",
                &format!("<start to=\"wait\"/>{}", witness("wait", "sleep 1000", "", "end")),
            ),
        )
    }

    /// One short action.
    pub(crate) fn short(dir: &Path) -> Application {
        Application::make(
            dir,
            &workflow(
                "short",
                &format!("<start to=\"work\"/>{}", witness("work", "sleep 0.05", "", "end")),
            ),
        )
    }

    fn make(dir: &Path, definition: &str) -> Application {
        let application = Application {
            app: dir.join("app"),
            out: dir.join("out"),
            witness: dir.join("witness"),
        };
        fs::create_dir_all(&application.out).unwrap();
        write(&application.app, definition);
        application
    }

    /// Submits and starts it.
    pub(crate) fn submit(&self, server: &Server, key: Option<&str>) -> anyhow::Result<String> {
        let app = format!("file://{}", self.app.display());
        let (out, witness) = (self.out.display().to_string(), self.witness.display().to_string());
        let properties = [
            ("nameNode", "file://"),
            ("resourceManager", "local"),
            ("user.name", "tester"),
            ("oozie.wf.application.path", &app),
            ("out", &out),
            ("witness", &witness),
        ];
        server.submit_with_key(&properties, key)
    }

    /// Whether the last `fs` action has moved its result into place.
    pub(crate) fn is_published(&self) -> bool {
        self.out.join("published/_SUCCESS").exists() && !self.out.join("staging").exists()
    }
}

/// Writes a definition with the script that its actions share.
fn write(app: &Path, definition: &str) {
    fs::create_dir_all(app).unwrap();
    fs::write(app.join("workflow.xml"), definition).unwrap();
    let script = app.join("witness.sh");
    fs::write(&script, witness::SCRIPT).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
}

fn etl() -> String {
    let count = "<capture-output/>";
    let nodes = [
        "<start to=\"make-room\"/>".to_owned(),
        files("make-room", "<delete path=\"${nameNode}${out}/staging\"/><mkdir path=\"${nameNode}${out}/staging\"/>", "all"),
        "<fork name=\"all\"><path start=\"fetch\"/><path start=\"copy\"/></fork>".to_owned(),
        witness("copy", "sleep 0.15", "", "pack"),
        witness("pack", "sleep 0.15", "", "count"),
        witness("count", "sleep 0.1", "", "nothing"),
        "<action name=\"nothing\"><noop xmlns=\"uri:howdah:noop-action:1.0\"/><ok to=\"done\"/><error to=\"fail\"/></action>"
            .to_owned(),
        witness("fetch", "sleep 0.06; echo rows=7", count, "clean"),
        witness("clean", "sleep 0.02", "", "aggregate"),
        "<fork name=\"aggregate\"><path start=\"by-country\"/><path start=\"by-category\"/></fork>".to_owned(),
        witness("by-country", "sleep 0.15; echo cents=100", count, "aggregated"),
        witness("by-category", "sleep 0.04; echo cents=100", count, "aggregated"),
        "<join name=\"aggregated\" to=\"model\"/>".to_owned(),
        "<action name=\"model\"><sub-workflow><app-path>${wf:appPath()}/child</app-path><propagate-configuration/></sub-workflow>\
         <ok to=\"check\"/><error to=\"fail\"/></action>"
            .to_owned(),
        witness("check", "sleep 0.03", "", "quality"),
        "<decision name=\"quality\"><switch><case to=\"publish\">\
         ${wf:actionData('by-country')['cents'] eq wf:actionData('by-category')['cents'] and wf:actionData('fetch')['rows'] eq '7'}\
         </case><default to=\"fail\"/></switch></decision>"
            .to_owned(),
        files(
            "publish",
            "<touchz path=\"${nameNode}${out}/staging/_SUCCESS\"/>\
             <move source=\"${nameNode}${out}/staging\" target=\"${nameNode}${out}/published\"/>",
            "report",
        ),
        witness("report", "sleep 0.02", "", "done"),
        "<join name=\"done\" to=\"end\"/>".to_owned(),
    ];
    workflow("etl", &nodes.concat())
}

fn workflow(name: &str, nodes: &str) -> String {
    format!(
        "<workflow-app xmlns=\"uri:oozie:workflow:1.0\" name=\"{name}\">{nodes}\
         <kill name=\"fail\"><message>${{wf:lastErrorNode()}}: ${{wf:errorCode(wf:lastErrorNode())}}</message></kill>\
         <end name=\"end\"/></workflow-app>"
    )
}

fn witness(name: &str, work: &str, capture: &str, ok: &str) -> String {
    format!(
        "<action name=\"{name}\"><shell xmlns=\"uri:oozie:shell-action:1.0\">\
         <resource-manager>${{resourceManager}}</resource-manager><name-node>${{nameNode}}</name-node>\
         <exec>witness.sh</exec><env-var>WITNESS=${{witness}}</env-var><env-var>WORK={work}</env-var>\
         <file>witness.sh#witness.sh</file>{capture}</shell><ok to=\"{ok}\"/><error to=\"fail\"/></action>"
    )
}

fn files(name: &str, commands: &str, ok: &str) -> String {
    format!(
        "<action name=\"{name}\"><fs>{commands}</fs><ok to=\"{ok}\"/><error to=\"fail\"/></action>"
    )
}
