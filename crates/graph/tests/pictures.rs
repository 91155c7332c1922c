//! What a caller sees: the three formats of one workflow.

use expect_test::expect;
use graph::{Diagram, Edge, EdgeKind, Error, NODES_MAX, Node, NodeKind, PIXELS_MAX, dot, png, svg};

fn node(name: &str, kind: NodeKind, label: &str, status: Option<&str>) -> Node {
    Node { name: name.to_owned(), kind, label: label.to_owned(), status: status.map(str::to_owned) }
}

fn edge(from: &str, to: &str, kind: EdgeKind) -> Edge {
    Edge { from: from.to_owned(), to: to.to_owned(), kind }
}

fn sample() -> Diagram {
    Diagram {
        nodes: vec![
            node(":start:", NodeKind::Start, ":START:", Some("OK")),
            node("fetch", NodeKind::Action, "shell", Some("OK")),
            node("split", NodeKind::Fork, ":FORK:", Some("OK")),
            node("left", NodeKind::Action, "java", Some("RUNNING")),
            node("right", NodeKind::Action, "fs", Some("ERROR")),
            node("meet", NodeKind::Join, ":JOIN:", None),
            node("good", NodeKind::Decision, "switch", None),
            node("fail", NodeKind::Kill, ":KILL:", None),
            node("end", NodeKind::End, ":END:", None),
        ],
        edges: vec![
            edge(":start:", "fetch", EdgeKind::Ok),
            edge("fetch", "split", EdgeKind::Ok),
            edge("fetch", "fail", EdgeKind::Error),
            edge("split", "left", EdgeKind::Path),
            edge("split", "right", EdgeKind::Path),
            edge("left", "meet", EdgeKind::Ok),
            edge("left", "fail", EdgeKind::Error),
            edge("right", "meet", EdgeKind::Ok),
            edge("right", "fail", EdgeKind::Error),
            edge("meet", "good", EdgeKind::Ok),
            edge(
                "good",
                "end",
                EdgeKind::Case(
                    "\n  ${wf:actionData('left')['rows'] gt 0 and \"a\" < 'b'}\n".to_owned(),
                ),
            ),
            edge("good", "fail", EdgeKind::Default),
        ],
        show_kill: true,
    }
}

#[test]
fn dot_names_every_node_and_edge_in_order() {
    expect![[r##"
        digraph workflow {
          rankdir=TB;
          node [fontname="monospace", fontsize=11, style="filled,rounded"];
          edge [fontname="monospace", fontsize=9];
          ":start:" [label=":start:\nOK", shape=circle, fillcolor="#16a34a", color="#16a34a", fontcolor="#ffffff"];
          "fetch" [label="fetch\nshell\nOK", shape=box, fillcolor="#f0fdf4", color="#16a34a", fontcolor="#0f172a"];
          "split" [label="split\nOK", shape=triangle, fillcolor="#16a34a", color="#16a34a", fontcolor="#ffffff"];
          "left" [label="left\njava\nRUNNING", shape=box, fillcolor="#eff6ff", color="#2563eb", fontcolor="#0f172a"];
          "right" [label="right\nfs\nERROR", shape=box, fillcolor="#fef2f2", color="#dc2626", fontcolor="#0f172a"];
          "meet" [label="meet", shape=invtriangle, fillcolor="#475569", color="#475569", fontcolor="#ffffff"];
          "good" [label="good", shape=diamond, fillcolor="#fefce8", color="#ca8a04", fontcolor="#0f172a"];
          "fail" [label="fail", shape=octagon, fillcolor="#fff1f2", color="#e11d48", fontcolor="#be123c"];
          "end" [label="end", shape=doublecircle, fillcolor="#475569", color="#475569", fontcolor="#ffffff"];
          ":start:" -> "fetch" [color="#64748b"];
          "fetch" -> "split" [color="#64748b"];
          "fetch" -> "fail" [color="#f43f5e", style=dashed];
          "split" -> "left" [color="#64748b"];
          "split" -> "right" [color="#64748b"];
          "left" -> "meet" [color="#64748b"];
          "left" -> "fail" [color="#f43f5e", style=dashed];
          "right" -> "meet" [color="#64748b"];
          "right" -> "fail" [color="#f43f5e", style=dashed];
          "meet" -> "good" [color="#64748b"];
          "good" -> "end" [label="wf:actionData('left')['rows'] gt 0 and \"a\" < 'b'", color="#a16207"];
          "good" -> "fail" [label="default", color="#a16207", style=dashed];
        }
    "##]]
    .assert_eq(&dot(&sample()));
}

#[test]
fn kill_nodes_and_their_edges_are_hidden_unless_asked_for() {
    let hidden = Diagram { show_kill: false, ..sample() };
    assert!(dot(&sample()).contains("\"fail\"") && svg(&sample()).contains(">fail<"));
    assert!(!dot(&hidden).contains("\"fail\"") && !svg(&hidden).contains(">fail<"));
}

#[test]
fn svg_is_well_formed_and_shows_every_name_and_status_colour() {
    let text = svg(&sample());
    let document = roxmltree::Document::parse(&text).expect("well-formed");
    assert_eq!(document.root_element().tag_name().name(), "svg");
    for shown in [
        "start",
        "fetch",
        "split",
        "left",
        "right",
        "meet",
        "good",
        "fail",
        "end",
        "default",
        "shell · OK",
    ] {
        assert!(
            document.descendants().any(|node| node.is_text() && node.text() == Some(shown)),
            "{shown} is missing"
        );
    }
    for colour in ["#16a34a", "#2563eb", "#dc2626"] {
        assert!(text.contains(colour), "{colour} is missing");
    }
}

#[test]
fn svg_stays_well_formed_whatever_the_texts_are() {
    let hostile = "</text><script>\0\u{1}&\"'\u{ffff}\u{202e}".repeat(40);
    let mut diagram = sample();
    diagram.nodes[1].label.clone_from(&hostile);
    diagram.nodes[1].status = Some(hostile.clone());
    diagram.nodes.push(node(&hostile, NodeKind::Action, &hostile, None));
    diagram.edges.push(edge("good", &hostile, EdgeKind::Case(hostile.clone())));
    let text = svg(&diagram);
    let document = roxmltree::Document::parse(&text).expect("well-formed");
    assert!(document.descendants().all(|node| node.tag_name().name() != "script"));
    assert!(
        dot(&diagram)
            .lines()
            .all(|line| line.matches('"').count() % 2 == 0 || line.contains("\\\""))
    );
    png(&diagram).expect("a picture");
}

#[test]
fn edges_to_nowhere_to_themselves_and_repeated_ones_are_not_drawn() {
    let mut diagram = sample();
    let before = svg(&diagram);
    diagram.edges.push(edge("fetch", "nowhere", EdgeKind::Ok));
    diagram.edges.push(edge("fetch", "fetch", EdgeKind::Ok));
    diagram.edges.push(edge("fetch", "split", EdgeKind::Ok));
    assert_eq!(svg(&diagram), before);
}

#[test]
fn a_circle_is_drawn_all_the_same() {
    let mut diagram = sample();
    diagram.edges.push(edge("good", "fetch", EdgeKind::Case("again".to_owned())));
    roxmltree::Document::parse(&svg(&diagram)).expect("well-formed");
}

/// Width and height from the header of a PNG.
fn size(png: &[u8]) -> (u32, u32) {
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

fn svg_size(svg: &str) -> (u32, u32) {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let number = |name| {
        document
            .root_element()
            .attribute(name)
            .and_then(|text| text.parse().ok())
            .expect("a number")
    };
    (number("width"), number("height"))
}

#[test]
fn png_has_the_size_of_the_svg_and_text_in_it() {
    let picture = png(&sample()).expect("a picture");
    assert_eq!(size(&picture), svg_size(&svg(&sample())));
    let nameless = {
        let mut diagram = sample();
        diagram.nodes[8].name = "enp".to_owned();
        diagram.edges[10].to = "enp".to_owned();
        diagram
    };
    assert_ne!(
        picture,
        png(&nameless).expect("a picture"),
        "another name is other pixels: the typeface is there"
    );
}

#[test]
fn a_huge_picture_is_scaled_down_as_a_whole() {
    let branch = |number: usize| node(&format!("branch-{number}"), NodeKind::Action, "shell", None);
    let nodes = (0..400).map(branch).collect();
    let diagram = Diagram { nodes, ..Diagram::default() };
    let (width, height) = size(&png(&diagram).expect("a picture"));
    let (full_width, full_height) = svg_size(&svg(&diagram));
    assert!(
        full_width > 16_384 && width <= 16_384 && width * height <= PIXELS_MAX,
        "{width} x {height}"
    );
    let (full, scaled) =
        (f64::from(full_width) / f64::from(full_height), f64::from(width) / f64::from(height));
    assert!((full / scaled - 1.0).abs() < 0.05, "{full} became {scaled}");
}

#[test]
fn too_many_nodes_are_refused_with_a_word_about_the_limit() {
    let nodes = (0..=NODES_MAX)
        .map(|number| node(&format!("n{number}"), NodeKind::Action, "", None))
        .collect();
    let diagram = Diagram { nodes, edges: Vec::new(), show_kill: false };
    assert!(matches!(png(&diagram), Err(Error::TooManyNodes { nodes }) if nodes == NODES_MAX + 1));
    assert!(svg(&diagram).contains("too many to draw"));
    assert_eq!(dot(&diagram).matches("shape=box").count(), NODES_MAX + 1);
}

#[test]
fn an_empty_diagram_is_an_empty_picture() {
    let diagram = Diagram::default();
    assert!(size(&png(&diagram).expect("a picture")).0 > 0);
}
