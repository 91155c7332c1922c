use crate::harness::*;
use std::process::Command;
#[tokio::test]
async fn real_java() {
    let mut bench = Bench::new();
    bench.app_file("Main.java", r#"public class Main { public static void main(String[] a) throws Exception {
      if (a.length > 0 && a[0].equals("x")) System.exit(3);
      java.util.Properties p = new java.util.Properties(); p.setProperty("a b", "ü=" + System.getProperty("oozie.action.id"));
      p.store(new java.io.FileOutputStream(System.getProperty("oozie.action.output.properties")), "c");
      System.out.println(new java.io.File(System.getProperty("oozie.action.conf.xml")).exists()); } }"#);
    let app = bench.path("app");
    assert!(Command::new("javac").current_dir(&app).arg("Main.java").status().unwrap().success());
    std::fs::create_dir(app.join("lib")).unwrap();
    assert!(Command::new("jar").current_dir(&app).args(["cf", "lib/m.jar", "Main.class"]).status().unwrap().success());
    println!("{:?}", bench.succeeds("java", "<java><name-node>file:///</name-node><main-class>Main</main-class><capture-output/></java>").await);
    println!("{}", bench.log(ports::logs::LogStream::Stdout).await);
    println!("{:?}", bench.fails("java", "<java><name-node>file:///</name-node><main-class>Main</main-class><arg>x</arg></java>").await);
}
