//! Java's schema validator over the original schema files, as a child process that answers questions.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use definition::DefinitionKind;

const ARTIFACT: &str = "org.apache.oozie:oozie-client:5.2.1";
const JAR: &str = "org/apache/oozie/oozie-client/5.2.1/oozie-client-5.2.1.jar";

/// The first part of the names of schema files, and their versions.
type Files = (&'static str, &'static [&'static str]);

/// The schema files of each kind, as Oozie's default configuration loads them.
const KINDS: [(DefinitionKind, &[Files]); 3] = [
    (
        DefinitionKind::Workflow,
        &[
            ("oozie-common", &["1.0"]),
            ("oozie-workflow", &["0.1", "0.2", "0.2.5", "0.3", "0.4", "0.4.5", "0.5", "1.0"]),
            ("shell-action", &["0.1", "0.2", "0.3", "1.0"]),
            ("email-action", &["0.1", "0.2"]),
            ("hive-action", &["0.2", "0.3", "0.4", "0.5", "0.6", "1.0"]),
            ("sqoop-action", &["0.2", "0.3", "0.4", "1.0"]),
            ("ssh-action", &["0.1", "0.2"]),
            ("distcp-action", &["0.1", "0.2", "1.0"]),
            ("oozie-sla", &["0.1", "0.2"]),
            ("hive2-action", &["0.1", "0.2", "1.0"]),
            ("spark-action", &["0.1", "0.2", "1.0"]),
            ("git-action", &["1.0"]),
        ],
    ),
    (
        DefinitionKind::Coordinator,
        &[
            ("oozie-coordinator", &["0.1", "0.2", "0.3", "0.4", "0.5"]),
            ("oozie-sla", &["0.1", "0.2"]),
        ],
    ),
    (DefinitionKind::Bundle, &[("oozie-bundle", &["0.1", "0.2"])]),
];

/// The running validator.
#[derive(Debug)]
pub(crate) struct Referee {
    child: Child,
    questions: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

impl Referee {
    /// Starts it.
    ///
    /// # Errors
    /// Why it can't be had here: no Java, no Maven, or no way to the public repository.
    pub(crate) fn start() -> Result<Referee, String> {
        let classes = compile()?;
        let jar = schema_jar()?;
        let class_path = format!("{}:{}", classes.display(), jar.display());
        let mut command = Command::new("java");
        command
            .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", &class_path, "SchemaOracle"])
            .args(arguments());
        let mut child = (command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn())
            .map_err(|error| format!("java can't be started: {error}"))?;
        let questions = child.stdin.take().map(BufWriter::new);
        let answers = BufReader::new(child.stdout.take().expect("standard output is piped"));
        Ok(Referee { child, questions, answers })
    }

    /// What the schemas say of a document: nothing when they accept it, else the validator's message.
    pub(crate) fn mistake(&mut self, kind: DefinitionKind, document: &str) -> Option<String> {
        let questions = self.questions.as_mut().expect("open until dropped");
        let number =
            KINDS.iter().position(|(known, _)| *known == kind).expect("every kind has schemas");
        let length = u32::try_from(document.len()).expect("documents are short");
        let question = [
            &[u8::try_from(number).expect("three kinds")][..],
            &length.to_be_bytes(),
            document.as_bytes(),
        ];
        question.iter().for_each(|part| questions.write_all(part).expect("the referee listens"));
        questions.flush().expect("the referee listens");
        let mut head = [0; 5];
        self.answers.read_exact(&mut head).expect("the referee answers");
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut message = vec![0; length as usize];
        self.answers.read_exact(&mut message).expect("the referee answers in full");
        (head[0] == 0).then(|| String::from_utf8_lossy(&message).into_owned())
    }
}

impl Drop for Referee {
    fn drop(&mut self) {
        drop(self.questions.take());
        self.child.wait().expect("the referee ends when nobody asks any more");
    }
}

fn arguments() -> Vec<String> {
    let files = |schemas: &[Files]| -> Vec<String> {
        let named = schemas.iter().flat_map(|(name, versions)| {
            versions.iter().map(move |one| format!("{name}-{one}.xsd"))
        });
        named.collect()
    };
    let kinds: Vec<Vec<String>> = KINDS.iter().map(|(_, schemas)| files(schemas)).collect();
    kinds.join(&"--".to_owned())
}

/// Compiles the validator into the cache, unless it is there and newer than its source.
fn compile() -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/SchemaOracle.java");
    let cache = std::env::var_os("HOWDAH_CACHE")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).into(), PathBuf::from);
    let classes = cache.join("schema-oracle");
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    if changed(&classes.join("SchemaOracle.class")) > changed(&source) {
        return Ok(classes);
    }
    std::fs::create_dir_all(&classes)
        .map_err(|error| format!("{} can't be made: {error}", classes.display()))?;
    run(Command::new("javac").arg("-d").arg(&classes).arg(&source))?;
    Ok(classes)
}

/// The jar with the schema files, from the local Maven cache, fetched into it when it is not there.
fn schema_jar() -> Result<PathBuf, String> {
    let home = std::env::var_os("HOME").ok_or("no HOME, so no Maven cache")?;
    let jar = Path::new(&home).join(".m2/repository").join(JAR);
    if !jar.exists() {
        let artifact = format!("-Dartifact={ARTIFACT}");
        run(Command::new("mvn").args([
            "-q",
            "-B",
            "dependency:get",
            "-Dtransitive=false",
            &artifact,
        ]))?;
    }
    if jar.exists() {
        Ok(jar)
    } else {
        Err(format!("maven did not put {ARTIFACT} into {}", jar.display()))
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|error| format!("{program} can't be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "{program} failed: {}",
        String::from_utf8_lossy(&said).lines().next().unwrap_or("without a word")
    ))
}
