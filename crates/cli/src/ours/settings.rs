//! The settings of the server: `default.toml` is the reference, file, environment and flags go over it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chassis::HumanDuration;
use chassis::config::{Error, Settings as Layers};
use chassis::telemetry::Format;
use executor_worker::{MailSettings, WorkerSettings};
use scheduler::JobSettings;
use serde::Deserialize;

use crate::args::Standalone;
use crate::failure::Failure;
use crate::terminal::Environment;

const DEFAULTS: &str = include_str!("default.toml");

/// `EX_CONFIG`: the settings are wrong.
pub const CONFIG_EXIT: u8 = 78;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default.toml says what each setting means")]
pub struct Settings {
    pub server: Server,
    pub database: Database,
    pub worker: WorkerSettings,
    pub jobs: JobSettings,
    pub mail: MailSettings,
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default.toml says what each setting means")]
pub struct Server {
    pub listen: String,
    pub data_dir: String,
    pub base_url: String,
    pub drain: HumanDuration,
    pub proxy_users: BTreeSet<String>,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default.toml says what each setting means")]
pub struct Database {
    pub url: String,
    pub shards: u16,
    pub system_id: String,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default.toml says what each setting means")]
pub struct Log {
    pub level: String,
    pub format: Format,
}

/// The layers of settings for a command line.
///
/// # Errors
/// What is wrong, and where it was written.
pub fn layers(flags: &Standalone, environment: &Environment) -> Result<Layers, Failure> {
    let mut layers = Layers::new(DEFAULTS);
    if let Some(file) = &flags.config {
        layers.overlay_file(file).map_err(bad)?;
    }
    layers.overlay_environment(environment.variables.clone()).map_err(bad)?;
    let given = [
        ("--data-dir", "server.data_dir", &flags.data_dir),
        ("--listen", "server.listen", &flags.listen),
        ("--slots", "worker.slots", &flags.slots),
    ];
    for (flag, key, value) in given {
        value.iter().try_for_each(|value| layers.overlay_flag(flag, key, value)).map_err(bad)?;
    }
    Ok(layers)
}

/// The settings as they are without file and flags, for a run without a server.
///
/// # Errors
/// When a variable of the environment is wrong.
pub fn of_environment(environment: &Environment) -> Result<Settings, Failure> {
    let mut layers = Layers::new(DEFAULTS);
    layers.overlay_environment(environment.variables.clone()).map_err(bad)?;
    read(&layers)
}

/// The settings of these layers.
///
/// # Errors
/// The value that does not fit, and where it was given.
pub fn read(layers: &Layers) -> Result<Settings, Failure> {
    layers.read().map_err(bad)
}

fn bad(error: Error) -> Failure {
    let help = "`howdah standalone --print-config` shows every setting and where it comes from";
    Failure::coded("HW5004", error.to_string()).with_help(help).with_exit(CONFIG_EXIT)
}

impl Settings {
    /// Where everything is kept.
    ///
    /// # Errors
    /// When nothing says where.
    pub fn data_dir(&self, environment: &Environment) -> Result<PathBuf, Failure> {
        if !self.server.data_dir.is_empty() {
            return Ok(PathBuf::from(&self.server.data_dir));
        }
        let shared = environment.get("XDG_DATA_HOME").map(PathBuf::from);
        let home = || environment.get("HOME").map(|home| Path::new(home).join(".local/share"));
        let parent = shared.or_else(home).ok_or_else(|| {
            let message = "neither XDG_DATA_HOME nor HOME says where data is kept";
            Failure::coded("HW5004", message)
                .with_help("say it with --data-dir DIR")
                .with_exit(CONFIG_EXIT)
        })?;
        Ok(parent.join("howdah"))
    }
}

/// The settings by name, for the server to tell; secrets are left to it.
pub fn told(layers: &Layers) -> BTreeMap<String, String> {
    layers.values().map(|(key, value)| (format!("howdah.{key}"), value)).collect()
}

#[cfg(test)]
mod tests {
    use executor_worker::{CAPTURE_OUTPUT_BYTES_LIMIT, RunAs};
    use model::job::Rules;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let variables =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment { variables, user: "joe".to_owned() }
    }

    fn flags() -> Standalone {
        Standalone { data_dir: None, listen: None, slots: None, config: None, print_config: false }
    }

    #[test]
    fn the_defaults_fit() {
        let settings =
            of_environment(&environment(&[("HOWDAH_LOG", "debug")])).expect("good defaults");
        assert_eq!(
            (settings.server.listen.as_str(), settings.database.shards),
            ("127.0.0.1:11000", 64)
        );
        assert_eq!(
            settings.jobs.rules("http://x/oozie"),
            Rules { base_url: "http://x/oozie".to_owned(), ..Rules::default() }
        );
        assert!(settings.worker.slots() >= 4);
        assert_eq!(settings.mail.config().expect("no password").host, "localhost");
    }

    #[test]
    fn data_is_kept_where_the_system_says_unless_told() {
        let settings = of_environment(&environment(&[])).expect("good defaults");
        let at = |pairs: &[(&str, &str)]| {
            settings.data_dir(&environment(pairs)).map(|path| path.display().to_string())
        };
        assert_eq!(at(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]), Ok("/x/howdah".to_owned()));
        assert_eq!(at(&[("HOME", "/h")]), Ok("/h/.local/share/howdah".to_owned()));
        assert_eq!(at(&[]).expect_err("nowhere").exit(crate::failure::Style::Ours), CONFIG_EXIT);
    }

    #[test]
    fn flags_go_over_the_environment() {
        let flags =
            Standalone { slots: Some("3".to_owned()), data_dir: Some("/d".to_owned()), ..flags() };
        let layers = layers(&flags, &environment(&[("HOWDAH_WORKER__SLOTS", "2")])).expect("good");
        let settings = read(&layers).expect("fits");
        assert_eq!((settings.worker.slots(), settings.server.data_dir.as_str()), (3, "/d"));
        assert!(
            layers.print().contains("worker.slots = 3  # flag --slots\n"),
            "{}",
            layers.print()
        );
    }

    #[test]
    fn more_than_can_be_captured_is_refused_when_settings_are_read() {
        let settings = |size: &str| {
            of_environment(&environment(&[("HOWDAH_WORKER__CAPTURED_OUTPUT_MAX", size)]))
        };
        let most = settings("16 MiB").expect("it is the limit");
        assert_eq!(most.worker.captured_output_max.0, CAPTURE_OUTPUT_BYTES_LIMIT);
        let failure = settings("16777217 B").expect_err("one byte too many");
        assert_eq!(failure.exit(crate::failure::Style::Ours), CONFIG_EXIT);
        assert_eq!(
            failure.to_string(),
            "HW5004 : environment HOWDAH_WORKER__CAPTURED_OUTPUT_MAX: `worker.captured_output_max` cannot be \
             `16777217 B`: at most 16 MiB can be captured; set `16 MiB` or less, and let actions write larger output \
             to files"
        );
    }

    #[test]
    fn actions_run_as_the_worker_unless_told() {
        let run_as = |pairs: &[(&str, &str)]| {
            of_environment(&environment(pairs)).map(|settings| settings.worker.run_as)
        };
        assert_eq!(run_as(&[]), Ok(RunAs::Worker));
        assert_eq!(run_as(&[("HOWDAH_WORKER__RUN_AS", "submitter")]), Ok(RunAs::Submitter));
        let failure = run_as(&[("HOWDAH_WORKER__RUN_AS", "root")]).expect_err("no such choice");
        assert!(failure.to_string().contains("`worker.run_as` cannot be `root`"), "{failure}");
    }

    #[test]
    fn a_bad_setting_has_a_code_and_an_exit_code() {
        let flags = Standalone { slots: Some("many".to_owned()), ..flags() };
        let failure = layers(&flags, &environment(&[])).expect_err("no number");
        assert_eq!(failure.exit(crate::failure::Style::Ours), CONFIG_EXIT);
        assert_eq!(
            failure.to_string(),
            "HW5004 : flag --slots: `worker.slots` cannot be `many`: a whole number is wanted here"
        );
    }
}
