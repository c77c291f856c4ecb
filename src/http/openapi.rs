//! The OpenAPI description. Types describe themselves once, through their JSON Schema (`schemars`), as OpenAPI 3.1
//! allows; the same schemas are published by `silta schema`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use silta_adapter::record::Record;
use utoipa::OpenApi as _;
use utoipa::openapi::schema::{Object, SchemaType};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, Response, Schema};

/// Lets a type that has a JSON Schema stand in the OpenAPI description.
macro_rules! described {
    ($($type:ty),+ $(,)?) => {$(
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::http::openapi::schema::<$type>().0
            }
        }
        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                <$type as schemars::JsonSchema>::schema_name()
            }
            fn schemas(out: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                out.extend($crate::http::openapi::schema::<$type>().1);
            }
        }
    )+};
}
pub(crate) use described;

/// A schema, and by name those it refers to.
pub(crate) type Schemas = (RefOr<Schema>, Vec<(String, RefOr<Schema>)>);

/// The schema of a type.
pub(crate) fn schema<T: JsonSchema>() -> Schemas {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let own = T::json_schema(&mut generator).to_value();
    let others = generator.take_definitions(true).into_iter().map(|(name, schema)| (name, raw(schema))).collect();
    (raw(own), others)
}

/// A JSON Schema as it is: all of its keywords, not only those the OpenAPI library has fields for.
fn raw(schema: Value) -> RefOr<Schema> {
    let mut object = Object::with_type(SchemaType::AnyValue);
    if let Value::Object(keywords) = schema {
        object.extensions = Some(keywords.into_iter().collect());
    }
    RefOr::T(Schema::Object(object))
}

/// The OpenAPI 3.1 description of all operations.
pub fn openapi() -> OpenApi {
    let mut api = super::Described::openapi();
    api.info.title = "Silta".into();
    api.info.description = Some("An interoperability gateway for study records.".into());
    api.info.version = env!("CARGO_PKG_VERSION").into();
    let components = api.components.get_or_insert_with(Components::default);
    let (record, parts) = schema::<Record>();
    components.schemas.extend(parts);
    components.schemas.insert("Record".into(), record);
    components.schemas.extend(schema::<super::error::ProblemDocument>().1);
    components.schemas.insert("ProblemDocument".into(), schema::<super::error::ProblemDocument>().0);
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    api.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    for item in api.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".into(), RefOr::T(problem()));
        }
    }
    api
}

/// The description as JSON text, the same for every build of the same source.
///
/// # Errors
/// Never for what [`openapi`] gives.
pub fn openapi_json() -> serde_json::Result<String> {
    let mut value = serde_json::to_value(openapi())?;
    value.sort_all_objects();
    serde_json::to_string_pretty(&value).map(|text| text + "\n")
}

/// The answer every operation may give instead of its own.
fn problem() -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemDocument"))).build();
    let mut response = Response::new("what is wrong, where, and who can fix it (RFC 9457)");
    response.content.insert("application/problem+json".into(), RefOr::T(content));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn operations() -> Vec<(String, String, Value)> {
        let api = serde_json::to_value(openapi()).expect("json");
        let paths = api["paths"].as_object().expect("paths").clone();
        let operations = paths.into_iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("an item").clone();
            methods.into_iter().map(move |(method, operation)| (method, path.clone(), operation))
        });
        operations.collect()
    }

    #[test]
    fn every_route_is_described_under_its_own_address_and_name() {
        let described: BTreeSet<_> = operations().into_iter().map(|(method, path, _)| (method, path)).collect();
        let routed: BTreeSet<_> =
            crate::http::OPERATIONS.iter().map(|(method, path)| (method.to_string(), path.to_string())).collect();
        assert_eq!(described, routed);
        let names: BTreeSet<_> = operations().into_iter().map(|(_, _, op)| op["operationId"].to_string()).collect();
        assert_eq!(names.len(), routed.len(), "operation ids are unique");
    }

    #[test]
    fn every_variable_part_of_an_address_is_described() {
        for (method, path, operation) in operations() {
            let named: BTreeSet<&str> =
                path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let described: BTreeSet<&str> =
                parameters.iter().filter(|p| p["in"] == "path").filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(named, described, "{method} {path}");
        }
    }

    #[test]
    fn it_is_version_3_1_and_every_reference_leads_somewhere() {
        let text = openapi_json().expect("json");
        let api: Value = serde_json::from_str(&text).expect("json");
        assert_eq!(api["openapi"], "3.1.0");
        for reference in text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(api.pointer(reference).is_some(), "{reference}");
        }
        assert_eq!(api["components"]["schemas"]["Record"]["type"], "object");
        assert!(!text.contains("x-type"), "keywords of schemas are kept as they are");
        assert_eq!(text, openapi_json().expect("json"));
    }
}
