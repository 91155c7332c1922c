//! What all programs have in common: flags, settings, logging, the admin port, the end.

use std::env;
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chassis::config::Settings as Layers;
use chassis::{Readiness, admin, serve, shutdown, telemetry};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use crate::settings::{Common, Log};

/// `EX_USAGE`.
const USAGE_EXIT: u8 = 64;
/// `EX_UNAVAILABLE`: a port is taken, or a database does not answer.
const UNAVAILABLE_EXIT: u8 = 69;
/// `EX_CONFIG`: the settings are wrong.
const CONFIG_EXIT: u8 = 78;
/// Longest time between the end of the service and the end of the process.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// Why a program ends before its time.
#[derive(Debug)]
pub struct Failure {
    code: &'static str,
    message: String,
    exit: u8,
}

impl Failure {
    /// Wrong settings.
    pub fn config(message: impl ToString) -> Failure {
        Failure { code: "HW5004", message: message.to_string(), exit: CONFIG_EXIT }
    }

    /// Something that is needed is not there.
    pub fn unavailable(code: &'static str, message: impl ToString) -> Failure {
        Failure { code, message: message.to_string(), exit: UNAVAILABLE_EXIT }
    }
}

/// What a service finds when it begins.
#[derive(Debug)]
pub struct Context {
    /// Asks everybody to end.
    pub shutdown: CancellationToken,
    /// A latch for each thing that must be there.
    pub ready: Readiness,
    /// Where metrics are declared.
    pub registry: Registry,
    /// The settings by name, for whoever tells them.
    pub layers: Layers,
}

/// A service as a program.
pub trait Service {
    /// The name of the program.
    const PROGRAM: &'static str;
    /// Every setting with its default.
    const DEFAULTS: &'static str;

    /// Builds the service and gives back what runs until the shutdown. Everything that can be found wrong is found before.
    fn start(
        context: &mut Context,
        layers: &Layers,
    ) -> impl Future<Output = Result<Running, Failure>>;
}

/// A running service: resolves when it has ended in good order.
pub type Running = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The program: children of a worker are answered at once, everything else is a service.
pub fn main<S: Service>() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == supervisor::FIRST_ARGUMENT => return supervisor::main(arguments),
        Some(first) if first == executor_worker::BUILTIN_ARGUMENT => {
            return executor_worker::run_builtin(arguments);
        }
        _ => {}
    }
    match begin::<S>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let line = format!("{}: {}: {}\n", S::PROGRAM, failure.code, failure.message);
            let _nobody_reads = std::io::stderr().write_all(line.as_bytes());
            ExitCode::from(failure.exit)
        }
    }
}

/// What the command line says.
enum Asked {
    Run { config: Option<PathBuf> },
    Print { config: Option<PathBuf> },
    Say(String),
}

fn asked<S: Service>(arguments: impl Iterator<Item = String>) -> Result<Asked, Failure> {
    let usage = format!(
        "usage: {} [--config FILE] [--print-config | --version | --help]\n\nEvery setting can be given as HOWDAH_<SECTION>__<KEY>; --print-config shows all of them and where each comes from.\n",
        S::PROGRAM
    );
    let wrong = |message: String| Failure { code: "HW5004", message, exit: USAGE_EXIT };
    let (mut config, mut print) = (None, false);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--config" => {
                let file = arguments.next().ok_or_else(|| wrong("--config needs a file".into()))?;
                config = Some(PathBuf::from(file));
            }
            "--print-config" => print = true,
            "--version" => {
                return Ok(Asked::Say(format!("{} {}\n", S::PROGRAM, env!("CARGO_PKG_VERSION"))));
            }
            "--help" | "-h" => return Ok(Asked::Say(usage)),
            other => return Err(wrong(format!("there is no option `{other}`\n{usage}"))),
        }
    }
    Ok(if print { Asked::Print { config } } else { Asked::Run { config } })
}

fn begin<S: Service>() -> Result<(), Failure> {
    let arguments = env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let (config, print) = match asked::<S>(arguments)? {
        Asked::Say(text) => {
            let _nobody_reads = std::io::stdout().write_all(text.as_bytes());
            return Ok(());
        }
        Asked::Run { config } => (config, false),
        Asked::Print { config } => (config, true),
    };
    let mut layers = Layers::new(S::DEFAULTS);
    if let Some(file) = &config {
        layers.overlay_file(file).map_err(Failure::config)?;
    }
    layers.overlay_environment(environment()).map_err(Failure::config)?;
    if print {
        let _nobody_reads = std::io::stdout().write_all(layers.print().as_bytes());
        return Ok(());
    }
    let common: Common = layers.read().map_err(Failure::config)?;
    let log_level = start_log(&common.log)?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::unavailable("HW5001", format!("cannot start threads: {error}"))
    })?;
    let ended = runtime.block_on(serve_one::<S>(&common, layers, log_level));
    runtime.shutdown_timeout(LINGER_MAX);
    ended
}

/// The variables of this process.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    })
}

fn start_log(log: &Log) -> Result<telemetry::LogLevel, Failure> {
    let said = environment().find(|(name, _)| name == "HOWDAH_LOG").map(|(_, level)| level);
    let level = said.unwrap_or_else(|| log.level.clone());
    let options = telemetry::Options { level, format: log.format, color: false };
    telemetry::start(&options).map_err(Failure::config)
}

async fn serve_one<S: Service>(
    common: &Common,
    layers: Layers,
    log_level: telemetry::LogLevel,
) -> Result<(), Failure> {
    let shutdown = shutdown::on_signals().map_err(|error| {
        Failure::unavailable("HW5001", format!("cannot wait for signals: {error}"))
    })?;
    let listener = listen(&common.service.admin).await?;
    let mut context = Context {
        shutdown: shutdown.clone(),
        ready: Readiness::new(),
        registry: Registry::default(),
        layers: layers.clone(),
    };
    let running = S::start(&mut context, &layers).await?;
    let routes = admin::router(Arc::new(context.registry), context.ready.clone())
        .merge(admin::log_level_router(log_level));
    let until = CancellationToken::new();
    let admin =
        tokio::spawn(serve::serve(listener, routes, serve::Limits::of_process(), until.clone()));
    tracing::info!(program = S::PROGRAM, name = common.service.name, "started");
    running.await;
    until.cancel();
    let _ended = tokio::time::timeout(LINGER_MAX, admin).await;
    tracing::info!(program = S::PROGRAM, "ended");
    Ok(())
}

/// Binds a port.
pub(crate) async fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let mut message = format!("cannot listen on {address}: {error}");
        write!(message, "; stop what listens there, or choose another address")
            .expect("a String takes every write");
        Failure::unavailable("HW5001", message)
    })
}
