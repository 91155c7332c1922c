//! `shell` and `java`.

use std::fs;
use std::time::Instant;

use model::ErrorClass;
use ports::logs::LogStream;

use crate::harness::{Bench, script, shell};

fn code_and_message(failure: &model::Failure) -> (&str, &str) {
    (&failure.code, &failure.message)
}

#[tokio::test]
async fn a_shell_action_gets_its_arguments_environment_and_files() {
    let mut bench = Bench::new();
    bench.app_file(
        "s.sh",
        "#!/bin/sh\necho args=$# $2\necho env=\"$A\" $USER $HOWDAH_ACTION $HOWDAH_ATTEMPT $TRACEPARENT\n\
         grep -q '<name>inline</name><value>1</value>' \"$OOZIE_ACTION_CONF_XML\" && echo conf=found\n\
         cat renamed data/deep >&2\n",
    );
    bench.app_file("x.txt", "one ");
    let body = "<configuration><property><name>inline</name><value>1</value></property></configuration>\
        <exec>s.sh</exec><argument>a b</argument><argument>c  d</argument><env-var>A=b =c</env-var>\
        <file>s.sh</file><file>x.txt#renamed</file><file>x.txt#data/deep</file><capture-output/>";
    let success = bench.succeeds("shell", &shell(body)).await;
    let expected = "args=2 c d\nconf=found\nenv=b \\=c ann a 1 00-trace-01\n";
    assert_eq!(success.data.as_deref(), Some(expected));
    assert_eq!(success.external_status.as_deref(), Some("SUCCEEDED"));
    assert!(success.external_id.is_some_and(|id| id.contains(':')));
    assert_eq!(bench.log(LogStream::Stderr).await, "one one ");
}

#[tokio::test]
async fn configurations_go_from_the_job_over_job_xml_to_the_inline_one() {
    let mut bench = Bench::new();
    bench.app_file("s.sh", "#!/bin/sh\ncat action.xml\n");
    bench.app_file(
        "job.xml",
        "<configuration><property><name>p</name><value>file</value></property>\
         <property><name>q</name><value>${colour}</value></property></configuration>",
    );
    let body = "<job-xml>job.xml</job-xml><configuration><property><name>p</name><value>inline</value></property>\
        </configuration><exec>s.sh</exec><file>s.sh</file>";
    bench.succeeds("shell", &shell(body)).await;
    let printed = bench.log(LogStream::Stdout).await;
    for (name, value) in [
        ("p", "inline"),
        ("q", "blue"),
        ("oozie.of.job", "yes"),
        ("user.name", "ann"),
        ("fs.defaultFS", "file:///"),
    ] {
        let property = format!("<name>{name}</name><value>{value}</value>");
        assert!(printed.contains(&property), "{property} is not in {printed}");
    }
    let forbidden = "<configuration><property><name>fs.default.name</name><value>x</value></property></configuration><exec>true</exec>";
    let failure = bench.fails("shell", &shell(forbidden)).await;
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Failed, "JA010"));
    let failure =
        bench.fails("shell", &shell("<job-xml>none.xml</job-xml><exec>true</exec>")).await;
    assert_eq!(failure.code, "JA008");
}

#[tokio::test]
async fn an_exit_code_fails_the_action_in_oozie_s_words() {
    let mut bench = Bench::new();
    bench.app_file("s.sh", "#!/bin/sh\necho sorry >&2\nexit 3\n");
    let failure = bench.fails("shell", &script("s.sh", "")).await;
    assert_eq!(
        code_and_message(&failure),
        ("1", "Main Class [org.apache.oozie.action.hadoop.ShellMain], exit code [3]")
    );
    assert_eq!(failure.class, ErrorClass::Error);
    assert_eq!(failure.external_status.as_deref(), Some("FAILED/KILLED"));
    assert_eq!(bench.log(LogStream::Stderr).await, "sorry\n");
}

#[tokio::test]
async fn a_program_that_is_not_there_says_so() {
    let mut bench = Bench::new();
    let failure = bench.fails("shell", &shell("<exec>no-such-program-here</exec>")).await;
    assert_eq!(failure.code, "JA018");
    assert!(
        failure.message.contains("no-such-program-here") && failure.message.contains("<file>"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn files_stay_inside_the_working_directory() {
    let mut bench = Bench::new();
    bench.app_file("x", "x");
    for link in ["../x", "/tmp/x", "a/../../x", ".."] {
        let failure =
            bench.fails("shell", &shell(&format!("<exec>true</exec><file>x#{link}</file>"))).await;
        assert_eq!(failure.code, "HW2005", "{link}: {}", failure.message);
    }
    fs::create_dir(bench.path("elsewhere")).expect("room");
    let through = format!(
        "<exec>true</exec><file>{}#d</file><file>x#d/x</file>",
        bench.path("elsewhere").display()
    );
    assert_eq!(bench.fails("shell", &shell(&through)).await.code, "HW2005");
    assert!(!bench.path("elsewhere/x").exists());
    let failure = bench.fails("shell", &shell("<exec>true</exec><file>none</file>")).await;
    assert_eq!(failure.code, "JA008");
    assert!(bench.log(LogStream::Stderr).await.contains("JA008"), "the log tells it too");
}

#[tokio::test]
async fn libraries_are_linked_and_archives_unpacked() {
    let mut bench = Bench::new();
    bench.app_file("lib/a.jar", "jar");
    bench.app_file("s.sh", "#!/bin/sh\ncat a.jar tree/in/side\n");
    let source = bench.path("in");
    fs::create_dir(&source).expect("room");
    fs::write(source.join("side"), " archived").expect("room");
    let mut builder = tar::Builder::new(fs::File::create(bench.path("app/t.tar")).expect("room"));
    builder.append_dir_all("in", &source).expect("room");
    builder.finish().expect("room");
    bench.succeeds("shell", &script("s.sh", "<archive>t.tar#tree</archive>")).await;
    assert_eq!(bench.log(LogStream::Stdout).await, "jar archived");
    bench.app_file("broken.zip", "no zip");
    let failure = bench.fails("shell", &script("s.sh", "<archive>broken.zip</archive>")).await;
    assert_eq!(failure.code, "HW2005");
}

#[tokio::test]
async fn prepare_deletes_and_makes_directories_first() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.path("out/old")).expect("room");
    let out = bench.path("out").display().to_string();
    let prepare = format!(
        r#"<prepare><delete path="file://{out}*"/><mkdir path="{out}/new"/></prepare><exec>ls</exec><argument>{out}</argument>"#
    );
    bench.succeeds("shell", &shell(&prepare)).await;
    assert_eq!(bench.log(LogStream::Stdout).await, "new\n");
}

#[tokio::test]
async fn captured_output_has_a_limit_and_no_bad_characters() {
    let mut bench = Bench::new();
    bench.app_file("s.sh", "#!/bin/sh\nhead -c $1 /dev/zero | tr '\\0' x\n");
    let sized =
        |bytes: u32| script("s.sh", &format!("<argument>{bytes}</argument><capture-output/>"));
    assert_eq!(bench.succeeds("shell", &sized(2048)).await.data.map(|data| data.len()), Some(2050));
    let failure = bench.fails("shell", &sized(2049)).await;
    assert_eq!(failure.code, "JA018");
    assert!(
        failure.message.starts_with("output.properties data exceeds its limit [2048]"),
        "{}",
        failure.message
    );
    bench.app_file("b.sh", "#!/bin/sh\nprintf 'a=\\000\\377b\\n'\n");
    let success = bench.succeeds("shell", &script("b.sh", "<capture-output/>")).await;
    assert_eq!(success.data.as_deref(), Some("a=\\uFFFD\\uFFFDb\n"));
    bench.app_file("u.sh", "#!/bin/sh\necho 'a=\\u00zz'\n");
    assert_eq!(bench.fails("shell", &script("u.sh", "<capture-output/>")).await.code, "JA018");
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_are_cut_and_do_no_harm() {
    let mut bench = Bench::with(|config| config.log_bytes_max = 1 << 20);
    bench.app_file("s.sh", "#!/bin/sh\nhead -c 104857600 /dev/zero\n");
    bench.succeeds("shell", &script("s.sh", "")).await;
    let kept = fs::metadata(bench.path("logs/0000001-200101000000000-howdah-W/a/0-1/stdout"))
        .expect("it is there")
        .len();
    assert!((1 << 20..=(1 << 20) + 4096).contains(&kept), "{kept}");
}

#[tokio::test]
async fn a_time_out_ends_the_attempt() {
    let mut bench = Bench::new();
    let conf = "<configuration><property><name>howdah.action.timeout.seconds</name><value>1</value></property></configuration>";
    let begin = Instant::now();
    let failure = bench
        .fails("shell", &shell(&format!("{conf}<exec>sleep</exec><argument>600</argument>")))
        .await;
    assert_eq!(failure.code, "HW2003");
    assert!(begin.elapsed().as_secs() < 60);
}

#[tokio::test]
async fn mistakes_in_a_body_have_codes() {
    let mut bench = Bench::new();
    let failure = bench.fails("shell", &shell("<exec>true</exec><env-var>novalue</env-var>")).await;
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Failed, "JA010"));
    let failure =
        bench.fails("pig", "<pig xmlns='uri:oozie:workflow:0.5'><script>s</script></pig>").await;
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Error, "HW2001"));
    assert!(
        failure.message.contains("`pig`") && failure.message.contains("not yet available here"),
        "{}",
        failure.message
    );
    assert_eq!(bench.fails("shell", "<shell><exec>").await.code, "E0700");
}

/// Stands for a Java runtime: shows its arguments, and writes what a main class would.
const JAVA: &str = r#"#!/bin/sh
for argument in "$@"; do echo "$argument"; done
for argument in "$@"; do
  case "$argument" in -Doozie.action.output.properties=*) echo 'k=v' > "${argument#*=}" ;; esac
  case "$argument" in -Doozie.action.externalChildIDs=*) echo 'job_1' > "${argument#*=}" ;; esac
  case "$argument" in fail) exit 7 ;; esac
done
"#;

fn java(args: &str) -> String {
    format!(
        "<java><name-node>file:///</name-node><main-class>org.x.Main</main-class><java-opts>-Xmx64m</java-opts>{args}</java>"
    )
}

#[tokio::test]
async fn a_java_action_gets_its_class_path_and_properties() {
    let mut bench = Bench::new();
    bench.program("jdk/bin/java", JAVA);
    bench.config.java_home = Some(bench.path("jdk"));
    bench.app_file("lib/b.jar", "");
    bench.app_file("a.jar", "");
    let success = bench
        .succeeds("java", &java("<arg>one two</arg><file>a.jar</file><capture-output/>"))
        .await;
    assert_eq!(
        (success.data.as_deref(), success.external_child_ids.as_deref()),
        (Some("k=v\n"), Some("job_1"))
    );
    let printed = bench.log(LogStream::Stdout).await;
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[1].ends_with("/work/b.jar")
            && lines[1].contains("/work:/")
            && lines[1].contains("/work/a.jar:"),
        "{}",
        lines[1]
    );
    assert_eq!((lines[0], lines[2]), ("-cp", "-Xmx64m"));
    assert_eq!(lines[lines.len() - 2..], ["org.x.Main", "one two"]);
    assert!(lines.contains(&"-Doozie.action.id=0000001-200101000000000-howdah-W@a"), "{printed}");
    let failure = bench.fails("java", &java("<arg>fail</arg>")).await;
    assert_eq!(
        code_and_message(&failure),
        ("7", "Main Class [org.apache.oozie.action.hadoop.JavaMain], exit code [7]")
    );
}

#[tokio::test]
async fn a_worker_without_java_says_so() {
    let mut bench = Bench::with(|config| {
        config.java_home = None;
        config.search_path = "/no/such/directory".to_owned();
    });
    assert_eq!(bench.fails("java", &java("")).await.code, "HW2004");
}
