//! A script that calls `oozie` works with `howdah`: same options, same output, same exit codes.
//!
//! What is printed stands here as a person sees it; ids, users and times are replaced by ones of the same width.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};
use tempfile::TempDir;
use testkit::server::{Server, binary, wait_until};

use crate::replayed;

/// Stands for every job's id.
const JOB: &str = "0000001-261122144400000-howdah-W";
/// Stands for every moment, as far as its first digits are shown.
const MOMENT: &str = "2026-11-22 14:44:00";

/// What a command said and ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the real binary with these words and environment variables.
pub(crate) fn howdah(words: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(binary());
    let output = command
        .args(words)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// One action that makes a directory.
const MKDIR: &str = r#"<workflow-app xmlns="uri:oozie:workflow:1.0" name="mkdir">
    <start to="make"/>
    <action name="make">
        <fs><mkdir path="${nameNode}${made}"/></fs>
        <ok to="end"/>
        <error to="refused"/>
    </action>
    <kill name="refused">
        <message>not made: ${wf:errorCode('make')}</message>
    </kill>
    <end name="end"/>
</workflow-app>
"#;

/// An action that waits for a file, then one that does nothing.
const GATE: &str = r#"<workflow-app xmlns="uri:oozie:workflow:1.0" name="gate">
    <start to="wait"/>
    <action name="wait">
        <shell xmlns="uri:oozie:shell-action:1.0">
            <resource-manager>local</resource-manager>
            <name-node>file:///</name-node>
            <exec>sh</exec>
            <argument>-c</argument>
            <argument>echo waiting; until [ -e ${gate} ]; do sleep 0.02; done; echo open</argument>
        </shell>
        <ok to="after"/>
        <error to="refused"/>
    </action>
    <action name="after">
        <shell xmlns="uri:oozie:shell-action:1.0">
            <resource-manager>local</resource-manager>
            <name-node>file:///</name-node>
            <exec>true</exec>
        </shell>
        <ok to="end"/>
        <error to="refused"/>
    </action>
    <kill name="refused"><message>refused</message></kill>
    <end name="end"/>
</workflow-app>
"#;

/// A server, and applications for it with their `job.properties`.
struct Bench {
    server: Server,
    directory: TempDir,
}

impl Bench {
    fn start() -> Bench {
        let directory = TempDir::new().unwrap();
        let server = Server::start(&directory.path().join("data")).unwrap();
        let bench = Bench { server, directory };
        bench.app("mkdir", MKDIR, &[("nameNode", "file://"), ("made", &bench.at("made"))]);
        bench.app("gate", GATE, &[("gate", &bench.at("open"))]);
        bench
    }

    fn at(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn app(&self, name: &str, definition: &str, properties: &[(&str, &str)]) {
        let app = PathBuf::from(self.at(name));
        fs::create_dir_all(&app).unwrap();
        fs::write(app.join("workflow.xml"), definition).unwrap();
        let path = format!("file://{}", app.display());
        let all = [("oozie.wf.application.path", path.as_str())]
            .into_iter()
            .chain(properties.iter().copied());
        let lines: String = all.map(|(name, value)| format!("{name}={value}\n")).collect();
        fs::write(app.join("job.properties"), lines).unwrap();
    }

    /// What a command line says; `DIR` in it stands for the directory of everything, `URL` for the server's address.
    fn says(&self, line: &str) -> Said {
        let line = line.replace("DIR/", &self.at("")).replace("URL", &self.server.url);
        howdah(&line.split(' ').collect::<Vec<_>>(), &[("OOZIE_URL", &self.server.url)])
    }

    /// The same of a command that must do well and complain of nothing.
    #[track_caller]
    fn does(&self, line: &str) -> String {
        let said = self.says(line);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{line}: {}", said.out);
        said.out
    }

    #[track_caller]
    fn run(&self, app: &str) -> String {
        let said = self.does(&format!("job -config DIR/{app}/job.properties -run"));
        let id = said.strip_prefix("job: ").and_then(|rest| rest.strip_suffix('\n')).unwrap();
        assert_eq!(id.len(), JOB.len(), "{said}");
        id.to_owned()
    }

    #[track_caller]
    fn check(&self, line: &str, expected: &Expect) {
        expected.assert_eq(&self.normal(&self.does(line)));
    }

    #[track_caller]
    fn refuses(&self, line: &str, code: i32, expected: &Expect) {
        let said = self.says(line);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{line}: {}", said.err);
        expected.assert_eq(&self.normal(&said.err));
    }

    /// A text in which nothing depends on when, where and by whom it was made.
    fn normal(&self, text: &str) -> String {
        let output = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let text = text
            .replace(&self.at(""), "/tmp/")
            .replace(&self.server.url, "http://localhost:11000/oozie");
        let text = text
            .replace(&format!("\t{user}\t"), "\tjoe\t")
            .replace(&format!("{user:<10}"), "joe       ")
            .replace(&format!("User          : {user}"), "User          : joe");
        let text =
            text.replace(&format!("by {user},"), "by joe,").replace(&format!("[{user}]"), "[joe]");
        with_fixed_moments(&with_fixed_ids(
            &text.replace(&format!("<value>{user}</value>"), "<value>joe</value>"),
        ))
    }

    /// Ends the server; what it stored can be told from the history alone.
    fn end(mut self, jobs: usize) {
        self.server.kill();
        assert_eq!(replayed::check_all(&self.server.data_dir), jobs);
    }
}

/// Every job's id becomes the same, of the same width.
fn with_fixed_ids(text: &str) -> String {
    let mut fixed = text.to_owned();
    while let Some(end) = fixed
        .match_indices("-howdah-W")
        .map(|(at, end)| at + end.len())
        .find(|end| &fixed[end - JOB.len()..*end] != JOB)
    {
        fixed.replace_range(end - JOB.len()..end, JOB);
    }
    fixed
}

/// Every moment becomes the same, shown to the same digit.
fn with_fixed_moments(text: &str) -> String {
    let pattern = |shown: &str| {
        shown
            .bytes()
            .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte })
            .collect::<Vec<u8>>()
    };
    let mut fixed = text.as_bytes().to_vec();
    for moment in [
        MOMENT.to_owned(),
        MOMENT.replace(' ', "T"),
        format!("{MOMENT},000"),
        format!("{}.000Z", MOMENT.replace(' ', "T")),
        MOMENT[..16].to_owned(),
    ] {
        for at in 0..fixed.len().saturating_sub(moment.len() - 1) {
            let shown = String::from_utf8_lossy(&fixed[at..at + moment.len()]).into_owned();
            if pattern(&shown) == pattern(&moment) {
                fixed[at..at + moment.len()].copy_from_slice(moment.as_bytes());
            }
        }
    }
    String::from_utf8(fixed).unwrap()
}

#[test]
fn a_job_is_submitted_looked_at_and_listed_as_with_oozie() {
    let bench = Bench::start();
    let id = bench.run("mkdir");
    bench.server.ended(&id).unwrap();
    assert_eq!(bench.does(&format!("job -poll {id} -interval 1 -verbose")), "SUCCEEDED\n");
    assert!(PathBuf::from(bench.at("made")).is_dir());
    bench.check(&format!("job -info {id}"), &expect![[r#"
        Job ID : 0000001-261122144400000-howdah-W
        ------------------------------------------------------------------------------------------------------------------------------------
        Workflow Name : mkdir
        App Path      : file:///tmp/mkdir
        Status        : SUCCEEDED
        Run           : 0
        User          : joe
        Group         : -
        Created       : 2026-11-22 14:44 GMT
        Started       : 2026-11-22 14:44 GMT
        Last Modified : 2026-11-22 14:44 GMT
        Ended         : 2026-11-22 14:44 GMT
        CoordAction ID: -

        Actions
        ------------------------------------------------------------------------------------------------------------------------------------
        ID                                                                            Status    Ext ID                 Ext Status Err Code  
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W@:start:                                      OK        -                      OK         -         
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W@make                                         OK        -                      OK         -         
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W@end                                          OK        -                      OK         -         
        ------------------------------------------------------------------------------------------------------------------------------------

    "#]]);
    bench.check(&format!("job -info {id} -verbose"), &expect![[r#"
        Job ID : 0000001-261122144400000-howdah-W
        ------------------------------------------------------------------------------------------------------------------------------------
        Workflow Name : mkdir
        App Path      : file:///tmp/mkdir
        Status        : SUCCEEDED
        Run           : 0
        User          : joe
        Group         : -
        Created       : 2026-11-22 14:44:00 GMT
        Started       : 2026-11-22 14:44:00 GMT
        Last Modified : 2026-11-22 14:44:00 GMT
        Ended         : 2026-11-22 14:44:00 GMT
        CoordAction ID: -

        Actions
        ------------------------------------------------------------------------------------------------------------------------------------
        ID	Console URL	Error Code	Error Message	External ID	External Status	Name	Retries	Tracker URI	Type	Started	Status	Ended
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W@:start:	-	-	-	-	OK	:start:	0	-	:START:	2026-11-22 14:44:00 GMT	OK	2026-11-22 14:44:00 GMT
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W@make	-	-	-	-	OK	make	0	-	fs	2026-11-22 14:44:00 GMT	OK	2026-11-22 14:44:00 GMT
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W@end	-	-	-	-	OK	end	0	-	:END:	2026-11-22 14:44:00 GMT	OK	2026-11-22 14:44:00 GMT
        ------------------------------------------------------------------------------------------------------------------------------------

    "#]]);
    bench.check(&format!("job -info {id}@make"), &expect![[r#"
        ID : 0000001-261122144400000-howdah-W@make
        ------------------------------------------------------------------------------------------------------------------------------------
        Console URL       : -
        Error Code        : -
        Error Message     : -
        External ID       : -
        External Status   : OK
        Name              : make
        Retries           : 0
        Tracker URI       : -
        Type              : fs
        Started           : 2026-11-22 14:44 GMT
        Status            : OK
        Ended             : 2026-11-22 14:44 GMT
        ------------------------------------------------------------------------------------------------------------------------------------
    "#]]);
    bench.check(&format!("job -log {id}"), &expect![[r#"
        2026-11-22 14:44:00,000  INFO WorkflowEngine:1 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[mkdir] JOB[0000001-261122144400000-howdah-W] ACTION[-] job submitted and started by joe, application file:///tmp/mkdir
        2026-11-22 14:44:00,000  INFO WorkflowEngine:2 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[mkdir] JOB[0000001-261122144400000-howdah-W] ACTION[0000001-261122144400000-howdah-W@make] attempt 1 of run 0 is taken by worker local
        2026-11-22 14:44:00,000  INFO WorkflowEngine:3 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[mkdir] JOB[0000001-261122144400000-howdah-W] ACTION[0000001-261122144400000-howdah-W@make] ended well, external status OK
    "#]]);
    bench.check(
        &format!("job -configcontent {id}"),
        &expect![[r#"
        <configuration>
        <property><name>made</name><value>/tmp/made</value></property>
        <property><name>nameNode</name><value>file://</value></property>
        <property><name>oozie.wf.application.path</name><value>file:///tmp/mkdir</value></property>
        <property><name>user.name</name><value>joe</value></property>
        </configuration>

    "#]],
    );
    assert_eq!(bench.does(&format!("job -definition {id}")), format!("{MKDIR}\n"));
    bench.check("jobs", &expect![[r#"
        Job ID                                   App Name     Status    User      Group     Started                 Ended                   
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W         mkdir        SUCCEEDED joe       -         2026-11-22 14:44 GMT    2026-11-22 14:44 GMT    
        ------------------------------------------------------------------------------------------------------------------------------------
    "#]]);
    bench.check("jobs -verbose", &expect![[r#"
        Job ID	App Name	App Path	Console URL	User	Group	Run	Created	Started	Status	Last Modified	Ended
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W	mkdir	file:///tmp/mkdir	-	joe	-	0	2026-11-22 14:44:00 GMT	2026-11-22 14:44:00 GMT	SUCCEEDED	2026-11-22 14:44:00 GMT	2026-11-22 14:44:00 GMT
        ------------------------------------------------------------------------------------------------------------------------------------
    "#]]);
    assert_eq!(bench.does("jobs -filter status=SUCCEEDED;name=mkdir -len 2"), bench.does("jobs"));
    assert_eq!(bench.does("jobs -filter status=KILLED"), "No Jobs match your criteria!\n");
    bench.end(1);
}

#[test]
fn our_own_commands_tell_what_happened() {
    let bench = Bench::start();
    let id = bench.run("mkdir");
    bench.server.ended(&id).unwrap();
    bench.check(
        &format!("explain {id}"),
        &expect![[r#"
        0000001-261122144400000-howdah-W SUCCEEDED: it is over
    "#]],
    );
    bench.check(&format!("events {id}"), &expect![[r#"
        2026-11-22 14:44:00 UTC  INFO job submitted and started by joe, application file:///tmp/mkdir
        2026-11-22 14:44:00 UTC  INFO make: attempt 1 of run 0 is taken by worker local
        2026-11-22 14:44:00 UTC  INFO make: ended well, external status OK
        2026-11-22 14:44:00 UTC  INFO job is over: SUCCEEDED
    "#]]);
    assert_eq!(bench.does(&format!("events {id} --follow")), bench.does(&format!("events {id}")));
    bench.check(
        &format!("logs {id}"),
        &expect![[r#"
        make | mkdir file:///tmp/made
    "#]],
    );
    bench.check(
        &format!("replay {id}"),
        &expect![[r#"
             1 2026-11-22T14:44:00.000Z submitted
                 job: RUNNING
                 :start:: OK (to make)
                 make: PREP
             2 2026-11-22T14:44:00.000Z claimed make
                 make: PREP → RUNNING
             3 2026-11-22T14:44:00.000Z finished make
                 job: RUNNING → SUCCEEDED
                 end: OK
                 make: RUNNING → OK (to end)
        3 events; the replay ends exactly where the stored rows stand
    "#]],
    );
    let failed = bench
        .does("job -config DIR/mkdir/job.properties -D nameNode=gopher:// -run")
        .trim()["job: ".len()..]
        .to_owned();
    bench.server.ended(&failed).unwrap();
    bench.check(
        &format!("explain {failed}"),
        &expect![[r#"
            0000001-261122144400000-howdah-W KILLED: it is over; the kill node refused says: not made: HW3002
        "#]],
    );
    bench.check(&format!("job -errorlog {failed}"), &expect![[r#"
        2026-11-22 14:44:00,000 ERROR WorkflowEngine:3 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[mkdir] JOB[0000001-261122144400000-howdah-W] ACTION[0000001-261122144400000-howdah-W@make] failed: HW3002: mkdir, could not create directory [gopher:///tmp/made]: no file system is configured for gopher:///tmp/made; known schemes: file
    "#]]);
    bench.end(2);
}

#[test]
fn a_job_is_suspended_resumed_killed_and_run_again() {
    let bench = Bench::start();
    let id = bench.run("gate");
    wait_until("the action runs", || {
        bench.does(&format!("job -info {id}@wait")).contains("Status            : RUNNING\n")
    })
    .unwrap();
    assert_eq!(bench.does(&format!("job -suspend {id}")), "");
    assert!(bench.does(&format!("job -info {id}")).contains("Status        : SUSPENDED\n"));
    bench.check("jobs -filter status=SUSPENDED", &expect![[r#"
        Job ID                                   App Name     Status    User      Group     Started                 Ended                   
        ------------------------------------------------------------------------------------------------------------------------------------
        0000001-261122144400000-howdah-W         gate         SUSPENDED joe       -         2026-11-22 14:44 GMT    -                       
        ------------------------------------------------------------------------------------------------------------------------------------
    "#]]);
    assert_eq!(bench.does(&format!("job -resume {id}")), "");
    assert!(bench.does(&format!("job -info {id}")).contains("Status        : RUNNING\n"));
    assert_eq!(bench.does(&format!("job -kill {id}")), "");
    assert!(bench.does(&format!("job -info {id}")).contains("Status        : KILLED\n"));
    fs::write(bench.at("open"), "").unwrap();
    assert_eq!(bench.does(&format!("job -rerun {id} -D oozie.wf.rerun.failnodes=true")), "");
    bench.server.reached(&id, |status| status == "SUCCEEDED").unwrap();
    let info = bench.does(&format!("job -info {id}"));
    assert!(info.contains("Run           : 1\n") && info.contains("@after "), "{info}");
    assert_eq!(bench.does(&format!("logs {id} wait")), "waiting\nopen\n");
    assert!(
        bench
            .does(&format!("replay {id}"))
            .ends_with("; the replay ends exactly where the stored rows stand\n")
    );
    bench.end(1);
}

#[test]
fn a_dry_run_says_ok_and_stores_nothing() {
    let bench = Bench::start();
    assert_eq!(bench.does("job -config DIR/mkdir/job.properties -dryrun"), "OK\n");
    assert_eq!(bench.does("jobs"), "No Jobs match your criteria!\n");
    bench.end(0);
}

#[test]
fn the_server_and_definitions_are_looked_at() {
    let bench = Bench::start();
    assert_eq!(bench.does("admin -status"), "System mode: NORMAL\n");
    assert!(bench.does("admin -version").starts_with("Oozie server build version: "));
    assert_eq!(
        bench.does("version"),
        concat!(
            "Oozie client build version: 5.2.1\nHowdah version: ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        )
    );
    assert_eq!(bench.does("validate DIR/mkdir/workflow.xml"), "Valid workflow-app\n");
    assert_eq!(bench.does("validate -oozie URL DIR/mkdir/workflow.xml"), "Valid workflow-app\n");
    bench.app(
        "bad",
        &MKDIR.replace(r#"<ok to="end"/>"#, r#"<ok to="edn"/>"#),
        &[("made", "x"), ("nameNode", "file://")],
    );
    bench.refuses(
        "validate DIR/bad/workflow.xml",
        1,
        &expect![[r#"
            E0708

              × node 'make' goes to 'edn', which does not exist
               ╭─[/tmp/bad/workflow.xml:5:17]
             4 │         <fs><mkdir path="${nameNode}${made}"/></fs>
             5 │         <ok to="edn"/>
               ·                 ─┬─
               ·                  ╰── here
             6 │         <error to="refused"/>
               ╰────
              help: did you mean 'end'?
        "#]],
    );
    // The server looks at the schema only, as Oozie's does.
    assert_eq!(bench.does("validate -oozie URL DIR/bad/workflow.xml"), "Valid workflow-app\n");
    bench.app("unfinished", &MKDIR.replace(r#"<ok to="end"/>"#, ""), &[]);
    bench.refuses("validate -oozie URL DIR/unfinished/workflow.xml", 255, &expect![[r#"
        Error: E0701: /tmp/unfinished/workflow.xml, in <action name="make">, <ok> must come before <error> (line 6, column 9); after <fs> may come <ok>
    "#]]);
    bench.refuses("job -config DIR/bad/job.properties -run", 255, &expect![[r#"
        Error: E0708 : E0708: node 'make' goes to 'edn', which does not exist (line 5, column 17); did you mean 'end'?
    "#]]);
    bench.end(0);
}

#[test]
fn what_goes_wrong_is_said_on_standard_error_with_oozies_exit_codes() {
    let bench = Bench::start();
    for command in ["info", "log", "definition", "kill", "suspend", "resume", "rerun", "poll"] {
        let said = bench.says(&format!("job -{command} {JOB}"));
        let expected = format!(
            "Error: E0604 : E0604: Job does not exist [{JOB}]; look for it with `howdah jobs`\n"
        );
        assert_eq!(
            (said.code, said.out.as_str(), said.err.as_str()),
            (255, "", expected.as_str()),
            "{command}"
        );
    }
    bench.refuses(
        &format!("explain {JOB}"),
        1,
        &expect![[r#"
        error[E0604]: Job does not exist [0000001-261122144400000-howdah-W]
          help: look for it with `howdah jobs`
    "#]],
    );
    bench.refuses(
        "job -informations x",
        255,
        &expect![[r#"
        Invalid sub-command: Unrecognized option: -informations

        use 'help [sub-command]' for help details
    "#]],
    );
    bench.refuses(
        "job",
        255,
        &expect![[r#"
            Invalid sub-command: Missing required option: [-submit, -run, -dryrun, -start, -suspend, -resume, -kill, -rerun, -info, -log, -errorlog, -auditlog, -definition, -configcontent, -retries, -poll, -change, -ignore, -update, -missingdeps, -slaenable, -sladisable, -slachange]

            use 'help [sub-command]' for help details
        "#]],
    );
    bench.refuses(
        "job -run -kill x",
        255,
        &expect![[r#"
        Invalid sub-command: the argument '--run' cannot be used with '--kill <JOB>'

        use 'help [sub-command]' for help details
    "#]],
    );
    bench.refuses(
        "jbo -run",
        255,
        &expect![[r#"
        Invalid sub-command: invalid sub-command [jbo]

        use 'help [sub-command]' for help details
    "#]],
    );
    bench.refuses(
        "job -run",
        255,
        &expect![[r#"
        Error: configuration is not specified
    "#]],
    );
    bench.refuses(
        "job -config DIR/none.properties -run",
        255,
        &expect![[r#"
            Error: configuration file [/tmp/none.properties] not found
        "#]],
    );
    bench.refuses(
        &format!("job -rerun {JOB} -config DIR/none.properties"),
        255,
        &expect![[r#"
        Error: configuration file [/tmp/none.properties] not found
    "#]],
    );
    bench.refuses("job -Dmade=x -run", 255, &expect![[r#"
        Error: E0405 : E0405: Submission request does not have any application or lib path; set oozie.wf.application.path to the directory of the workflow.xml
    "#]]);
    bench.refuses("job -config DIR/mkdir/job.properties -D oozie.wf.application.path=file:///none -run", 255, &expect![[r#"
        Error: E0504 : E0504: the application path file:///none does not exist; check oozie.wf.application.path
    "#]]);
    bench.refuses(
        "jobs -filter colour=red",
        255,
        &expect![[r#"
        Error: E0420 : E0420: Invalid jobs filter [colour=red], invalid name [colour]
    "#]],
    );
    bench.refuses("job -oozie http://127.0.0.1:1/oozie -info x-W", 255, &expect![[r#"
        Error: IO_ERROR : cannot reach http://127.0.0.1:1/oozie/versions: Connection refused (os error 111) (tries: 4)
    "#]]);
    bench.refuses("explain --oozie http://127.0.0.1:1/oozie x-W", 1, &expect![[r#"
        error[IO_ERROR]: cannot reach http://127.0.0.1:1/api/v1/jobs/x-W/explain: Connection refused (os error 111) (tries: 4)
          help: is the server running? `howdah standalone` starts one; `-oozie URL` or OOZIE_URL says where it is
    "#]]);
    bench.refuses(
        "explain",
        2,
        &expect![[r#"
        the following required arguments were not provided:
          <JOB>

        Usage: howdah explain <JOB>

        For more information, try '--help'.
    "#]],
    );
    bench.end(0);
}
