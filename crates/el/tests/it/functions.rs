//! The shared functions and constants.

use el::functions::{Function, constant, find, sla_constant, timestamp};
use el::{CallError, Value};

use crate::world::{NOW_MS, evaluate};

fn check(text: &str, expected: &str) {
    assert_eq!(evaluate(text).map(|value| value.to_string()), Ok(expected.to_owned()), "of {text}");
}

fn check_call(function: Function, argument: &Value, expected: &str) {
    let result = function.call(std::slice::from_ref(argument), NOW_MS);
    assert_eq!(result, Ok(Value::text(expected)), "of {argument:?}");
}

#[test]
fn string_functions_follow_oozie() {
    check("${firstNotNull(nil, 'b')}", "b");
    check("${firstNotNull('', 'b')}", "");
    check("${firstNotNull(1, 2) + 1}", "2");
    check("${firstNotNull(nil, nil) == null}", "true");
    check("${concat(nil, 'b')}|${concat('a', nil)}|${concat(1, true)}", "b|a|1true");
    check("[${trim(' \t a b \n')}][${trim(nil)}]", "[a b][]");
    check("${replaceAll('a1b22', '[0-9]+', '#')}", "a#b#");
    check("${replaceAll('a-b', '(\\\\w)-(\\\\w)', '$2\\\\$$1')}", "b$a");
    check("${replaceAll('ab', nil, '.')}", ".a.b.");
    check("${replaceAll(nil, 'a', 'b')}", "");
    check("${appendAll('/a/b/,/c/b/,/c/d/', 'ADD', ',')}", "/a/b/ADD,/c/b/ADD,/c/d/ADD");
    check("${appendAll(',a,b,,', 'X', ',')}", "X,aX,bX");
    check("${appendAll('', 'X', ',')}", "X");
    check("${appendAll('a;b', 'X', ',')}", "a;bX");
    check("${urlEncode('a b+c~é/*-._%')}", "a+b%2Bc%7E%C3%A9%2F*-._%25");
    check("${concat(t:obj(nil), urlEncode(nil))}", "");
    check("${timestamp()}", "2009-08-24T01:02Z");
}

#[test]
fn json_is_escaped_for_javascript_and_then_for_xml() {
    let map = Value::map([
        ("a\"b", Value::text("<é/\\\n\u{1}\u{85}\u{2028}'")),
        ("n", Value::Int(7)),
        ("z", Value::Null),
    ]);
    let expected = "{&quot;a\\&quot;b&quot;:&quot;&lt;é\\/\\\\\\n\\u0001\\u0085\\u2028&#039;&quot;,&quot;n&quot;:7,&quot;z&quot;:null}";
    check_call(Function::ToJsonStr, &map, expected);
    let nested = Value::map([(
        "group",
        Value::map([
            ("b", Value::Bool(true)),
            ("f", Value::Float(f64::NAN)),
            ("g", Value::Float(1.5)),
        ]),
    )]);
    check_call(
        Function::ToJsonStr,
        &nested,
        "{&quot;group&quot;:{&quot;b&quot;:true,&quot;f&quot;:null,&quot;g&quot;:1.5}}",
    );
    check_call(Function::ToJsonStr, &Value::Null, "null");
}

#[test]
fn properties_carry_javas_header_and_escapes() {
    let header = "#\n#Mon Aug 24 01:02:03 UTC 2009\n";
    check_call(
        Function::ToPropertiesStr,
        &Value::map([("k 1:=", " lead trail ")]),
        &format!("{header}k\\ 1\\:\\==\\ lead trail \n"),
    );
    check_call(
        Function::ToPropertiesStr,
        &Value::map([("k", "a=b:c#d!e\\f")]),
        &format!("{header}k=a\\=b\\:c\\#d\\!e\\\\f\n"),
    );
    check_call(
        Function::ToPropertiesStr,
        &Value::map([("k", "t\tn\nr\rf\u{c}")]),
        &format!("{header}k=t\\tn\\nr\\rf\\f\n"),
    );
    check_call(
        Function::ToPropertiesStr,
        &Value::map([("k", "é<&>")]),
        &format!("{header}k=é&lt;&amp;&gt;\n"),
    );
}

#[test]
fn configurations_are_indented_trimmed_and_escaped_twice() {
    let xml = "<configuration>\r\n  <property>\r\n    <name>k&lt;</name>\r\n    <value>v w</value>\r\n  </property>\r\n</configuration>";
    check_call(Function::ToConfigurationStr, &Value::map([("k<", " v w ")]), &el::escape_xml(xml));
    let empty = Value::map::<String, Value>([]);
    check_call(Function::ToConfigurationStr, &empty, "&lt;configuration /&gt;");
    let result = Function::ToConfigurationStr.call(&[Value::map([("k", "\u{1}")])], NOW_MS);
    assert!(matches!(result, Err(CallError::Failed(message)) if message.contains("0x0001")));
}

#[test]
fn only_maps_of_strings_have_the_line_forms() {
    for function in [Function::ToPropertiesStr, Function::ToConfigurationStr] {
        for argument in
            [Value::Null, Value::map([("n", Value::Int(1))]), Value::map([("n", Value::Null)])]
        {
            assert!(
                matches!(
                    function.call(std::slice::from_ref(&argument), NOW_MS),
                    Err(CallError::Failed(_))
                ),
                "of {argument:?}"
            );
        }
    }
}

#[test]
fn a_call_with_the_wrong_number_of_arguments_fails() {
    for name in [
        "firstNotNull",
        "concat",
        "trim",
        "replaceAll",
        "appendAll",
        "urlEncode",
        "toJsonStr",
        "toPropertiesStr",
        "toConfigurationStr",
    ] {
        let function = find(name).expect("a shared function");
        assert!(!function.signature().parameters.is_empty());
        assert!(function.call(&[], NOW_MS).is_err(), "of {name}");
    }
    assert_eq!(find("nope"), None);
}

#[test]
fn constants_have_oozies_values() {
    for (name, expected) in
        [("KB", 1_i64 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40), ("PB", 1 << 50)]
    {
        assert_eq!(constant(name), Some(Value::Int(expected)));
    }
    assert_eq!(constant("RECORDS"), Some(Value::text("org.apache.hadoop.mapred.Task$Counter")));
    for (name, expected) in [
        ("MAP_IN", "MAP_INPUT_RECORDS"),
        ("MAP_OUT", "MAP_OUTPUT_RECORDS"),
        ("REDUCE_IN", "REDUCE_INPUT_RECORDS"),
        ("REDUCE_OUT", "REDUCE_OUTPUT_RECORDS"),
        ("GROUPS", "REDUCE_INPUT_GROUPS"),
    ] {
        assert_eq!(constant(name), Some(Value::text(expected)));
    }
    assert_eq!((constant("MINUTES"), constant("kb")), (None, None));
    check("${2 * DAYS + 3 * HOURS + 4 * MINUTES}", "3064");
    assert_eq!(sla_constant("KB"), None);
}

#[test]
fn timestamps_are_in_utc() {
    for (now_ms, expected) in [
        (0, "1970-01-01T00:00Z"),
        (-1, "1969-12-31T23:59Z"),
        (951_782_399_999, "2000-02-28T23:59Z"),
        (951_782_400_000, "2000-02-29T00:00Z"),
        (4_107_542_400_000, "2100-03-01T00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59Z"),
    ] {
        assert_eq!(timestamp(now_ms), expected);
    }
    assert!(!timestamp(i64::MIN).is_empty() && !timestamp(i64::MAX).is_empty());
}
