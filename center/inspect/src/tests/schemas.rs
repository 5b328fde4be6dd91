//! JSON Schemas of every WIT type, compared with the JSON form that the contract lays down.

use super::build::component;
use crate::{Facts, InspectLimits, inspect};
use serde_json::{Value, json};

fn facts(body: &str) -> Facts {
    inspect(&component(body), &InspectLimits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Schema of the parameter `v` of this type.
fn schema(ty: &str) -> Value {
    let facts = facts(&format!("export x: func(v: {ty});"));
    facts.exports[0].params_schema()["properties"]["v"].clone()
}

#[test]
fn every_type_has_its_json_form() {
    let byte = json!({"type": "integer", "minimum": 0, "maximum": 255});
    let float = json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]});
    let wide = json!({"anyOf": [
        {"type": "integer", "minimum": -9007199254740991_i64, "maximum": 9007199254740991_i64},
        {"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,18})$"},
    ]});
    let object = |name: &str, schema: &Value| json!({"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": false});
    let nothing = json!({"type": "null"});
    for (ty, expected) in [
        ("bool", json!({"type": "boolean"})),
        ("u8", byte.clone()),
        ("s8", json!({"type": "integer", "minimum": -128, "maximum": 127})),
        ("u32", json!({"type": "integer", "minimum": 0, "maximum": 4294967295_u32})),
        ("s64", wide.clone()),
        ("f32", float.clone()),
        ("f64", float),
        ("char", json!({"type": "string", "minLength": 1, "maxLength": 1})),
        ("string", json!({"type": "string"})),
        ("list<u8>", json!({"type": "string", "contentEncoding": "base64"})),
        ("list<s8>", json!({"type": "array", "items": {"type": "integer", "minimum": -128, "maximum": 127}})),
        ("option<u8>", json!({"anyOf": [nothing, byte]})),
        ("option<option<u8>>", json!({"anyOf": [nothing, object("some", &json!({"anyOf": [nothing, byte]}))]})),
        ("tuple<u8, s64>", json!({"type": "array", "prefixItems": [byte, wide], "minItems": 2, "maxItems": 2})),
        ("result<u8, string>", json!({"oneOf": [object("ok", &byte), object("err", &json!({"type": "string"}))]})),
        ("result", json!({"oneOf": [object("ok", &nothing), object("err", &nothing)]})),
        ("option<result>", json!({"anyOf": [nothing, {"oneOf": [object("ok", &nothing), object("err", &nothing)]}]})),
    ] {
        assert_eq!(schema(ty), expected, "{ty}");
    }
}

#[test]
fn named_types_are_defined_once() {
    let facts = facts(
        "record p { a: u8, b: option<u8> } variant v { x(p), y } enum e { l, r } flags f { s, t }
         export x: func(v: v, p: p, e: e, f: f) -> list<p>;",
    );
    let params = facts.exports[0].params_schema();
    assert_eq!(params["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(params["required"], json!(["v", "p", "e", "f"]));
    assert_eq!(params["additionalProperties"], json!(false));
    let byte = json!({"type": "integer", "minimum": 0, "maximum": 255});
    let point = json!({
        "type": "object",
        "properties": {"a": byte, "b": {"anyOf": [{"type": "null"}, byte]}},
        "required": ["a"],
        "additionalProperties": false,
    });
    let shape = json!({"oneOf": [
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/p"}}, "required": ["x"], "additionalProperties": false},
        {"const": "y"},
    ]});
    let flags = json!({"type": "array", "items": {"enum": ["s", "t"]}, "uniqueItems": true});
    assert_eq!(params["$defs"], json!({"v": shape, "p": point, "e": {"enum": ["l", "r"]}, "f": flags}));
    assert_eq!(params["properties"]["p"], json!({"$ref": "#/$defs/p"}));
    let result = facts.exports[0].result_schema();
    assert_eq!(result["items"], json!({"$ref": "#/$defs/p"}));
    assert_eq!(result["$defs"], json!({"p": point}));
}

#[test]
fn two_types_of_one_name_stay_two() {
    use crate::WitTypeFact::{Record, U8};
    let record =
        |fields: &[&str]| Record { name: "r".into(), fields: fields.iter().map(|f| ((*f).into(), U8)).collect() };
    let params = [("a".to_owned(), record(&["x"])), ("b".to_owned(), record(&["y"])), ("c".to_owned(), record(&["x"]))];
    let schema = crate::schema::params_schema(&params);
    let reference = |name: &str| schema["properties"][name]["$ref"].clone();
    assert_eq!(
        (reference("a"), reference("b"), reference("c")),
        ("#/$defs/r".into(), "#/$defs/r.2".into(), "#/$defs/r".into())
    );
}

#[test]
fn parameters_of_an_option_type_may_be_left_out_and_no_result_is_null() {
    let facts = facts("export x: func(a: option<u8>, b: u8); export y: func();");
    assert_eq!(facts.exports[0].params_schema()["required"], json!(["b"]));
    assert_eq!(facts.exports[0].result_schema()["type"], "null");
    assert_eq!(facts.exports[1].params_schema()["properties"], json!({}));
}
