//! Every route, with whom it lets in and what it takes and gives. Router and OpenAPI document are
//! made from this one table, and a route can't be written without a guard.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use people::Right;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, Required, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::guard::{COOKIE_NAME, Guard, gate};
use crate::problem::Refusal;
use crate::server::Shared;
use crate::{charts, events, folk, inbox, metrics, session, trust, types};

/// Where the API begins.
pub const BASE: &str = "/api/v1";

const JSON: &str = "application/json";

/// A route: its handler behind its guard, and its words in the OpenAPI document.
struct Route {
    method: HttpMethod,
    path: &'static str,
    guard: Guard,
    handler: MethodRouter<Arc<Shared>, Infallible>,
    operation: OperationBuilder,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Route {
    fn new<H, T>(
        method: HttpMethod,
        path: &'static str,
        guard: Guard,
        handler: H,
        (id, summary): (&str, &str),
    ) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        let filter = match method {
            HttpMethod::Post => MethodFilter::POST,
            HttpMethod::Delete => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let mut operation = OperationBuilder::new()
            .operation_id(Some(id))
            .summary(Some(summary))
            .description(Some(needs(guard)));
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .schema(Some(text())),
            );
        }
        if guard != Guard::Open {
            for scheme in ["bearer", "cookie"] {
                operation =
                    operation.security(SecurityRequirement::new(scheme, Vec::<String>::new()));
            }
        }
        if let Guard::Right(right) = guard {
            let extensions = ExtensionsBuilder::new().add("x-right", right.name());
            operation = operation.extensions(Some(extensions.build()));
        }
        Self { method, path, guard, handler: on(filter, handler), operation, schemas: Vec::new() }
    }

    fn get<H, T>(path: &'static str, guard: Guard, handler: H, words: (&str, &str)) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self::new(HttpMethod::Get, path, guard, handler, words)
    }

    fn post<H, T>(path: &'static str, guard: Guard, handler: H, words: (&str, &str)) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self::new(HttpMethod::Post, path, guard, handler, words)
    }

    fn delete<H, T>(path: &'static str, guard: Guard, handler: H, words: (&str, &str)) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self::new(HttpMethod::Delete, path, guard, handler, words)
    }

    fn query(mut self, name: &str, description: &str) -> Self {
        self.operation = self.operation.parameter(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(text())),
        );
        self
    }

    /// Says that it takes the two ends of a span.
    fn span(self) -> Self {
        self.query("from", "First time, included: RFC 3339 or milliseconds since 1970. A day before `to` where absent.")
            .query("to", "Last time, not included. Now where absent.")
    }

    fn takes<T: ToSchema>(mut self) -> Self {
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content(JSON, ContentBuilder::new().schema(Some(self.schema::<T>())).build());
        self.operation = self.operation.request_body(Some(body.build()));
        self
    }

    fn gives<T: ToSchema>(self) -> Self {
        self.gives_with::<T>("200", "Done.")
    }

    fn gives_with<T: ToSchema>(mut self, status: &str, words: &str) -> Self {
        let schema = self.schema::<T>();
        self.answer(status, words, JSON, schema)
    }

    fn gives_list<T: ToSchema>(mut self) -> Self {
        let items = self.schema::<T>();
        let list = RefOr::T(Schema::Array(ArrayBuilder::new().items(items).build()));
        self.answer("200", "Done.", JSON, list)
    }

    fn gives_events<T: ToSchema>(mut self) -> Self {
        let schema = self.schema::<T>();
        let words = "One JSON object in each `data:` line, until either side ends it.";
        self.answer("200", words, "text/event-stream", schema)
    }

    fn gives_nothing(mut self) -> Self {
        self.operation =
            self.operation.response("204", ResponseBuilder::new().description("Done."));
        self
    }

    fn answer(mut self, status: &str, words: &str, kind: &str, schema: RefOr<Schema>) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(words).content(kind, content);
        self.operation = self.operation.response(status, response);
        self
    }

    fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }
}

fn text() -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    RefOr::T(Schema::Object(text.build()))
}

fn needs(guard: Guard) -> String {
    match guard {
        Guard::Open => "Open to everyone.".to_owned(),
        Guard::SignedIn => "For everyone who has signed in.".to_owned(),
        Guard::Right(right) => format!("Needs the right `{right}`."),
    }
}

fn table() -> Vec<Route> {
    let mut routes = session_routes();
    routes.extend(reading_routes());
    routes.extend(alarm_routes());
    routes.extend(people_routes());
    routes
}

fn session_routes() -> Vec<Route> {
    vec![
        Route::post("/session", Guard::Open, session::sign_in, ("sign_in", "Sign in"))
            .takes::<types::SignIn>()
            .gives::<types::Session>(),
        Route::get(
            "/session",
            Guard::SignedIn,
            session::show,
            ("show_session", "Who is signed in"),
        )
        .gives::<types::Session>(),
        Route::delete("/session", Guard::SignedIn, session::sign_out, ("sign_out", "Sign out"))
            .gives_nothing(),
        Route::post(
            "/session/password",
            Guard::SignedIn,
            session::change_password,
            ("change_password", "Change one's own password"),
        )
        .takes::<types::PasswordChange>()
        .gives_nothing(),
    ]
}

fn reading_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    vec![
        Route::get("/health", Guard::Open, charts::health, ("health", "How well the gateway is"))
            .gives::<types::Health>(),
        Route::get("/trust", Guard::Open, trust::show, ("trust", "Whom a phone is about to trust"))
            .gives::<types::Trust>(),
        Route::get("/openapi.json", Guard::Open, document, ("openapi", "This document")),
        Route::get("/overview", READ, charts::overview, ("overview", "The houses, worst first"))
            .gives::<types::Overview>(),
        Route::get(
            "/zones/{site}/{zone}",
            READ,
            charts::zone,
            ("zone", "A house with what its charts need"),
        )
        .span()
        .gives::<types::ZoneDetail>(),
        Route::get(
            "/channels",
            READ,
            charts::channels,
            ("channels", "Every channel, with its latest"),
        )
        .gives_list::<types::Channel>(),
        Route::get(
            "/channels/{id}/series",
            READ,
            charts::series,
            ("series", "Columns for a chart; buckets widen to whole roll-up steps"),
        )
        .span()
        .query("points", "The most buckets, 1 to 10000; 500 where absent.")
        .gives::<types::Series>(),
        Route::get("/nodes", READ, charts::nodes, ("nodes", "Every node"))
            .gives_list::<types::Node>(),
        Route::get("/events", READ, events::stream, ("events", "What happens, as it happens"))
            .gives_events::<types::Event>(),
    ]
}

fn alarm_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const ANSWER: Guard = Guard::Right(Right::AnswerAlarms);
    vec![
        Route::get("/alarms", READ, inbox::list, ("alarms", "Alarms, open ones first"))
            .query("state", "`open` (default), `unacknowledged`, `active`, `closed` or `all`.")
            .query("limit", "The most alarms, 1 to 999; 200 where absent.")
            .gives::<types::Alarms>(),
        Route::get("/alarms/{id}", READ, inbox::show, ("alarm", "An alarm with its timeline"))
            .gives::<types::AlarmDetail>(),
        Route::post(
            "/alarms/{id}/acknowledge",
            ANSWER,
            inbox::acknowledge,
            ("acknowledge", "Say that one knows and sees to it; on disk when answered"),
        )
        .takes::<types::AlarmComment>()
        .gives::<types::Alarm>(),
        Route::post(
            "/alarms/{id}/comment",
            ANSWER,
            inbox::comment,
            ("comment", "Say something about an alarm; on disk when answered"),
        )
        .takes::<types::AlarmComment>()
        .gives::<types::Alarm>(),
    ]
}

fn people_routes() -> Vec<Route> {
    const PEOPLE: Guard = Guard::Right(Right::ManagePeople);
    vec![
        Route::get("/users", PEOPLE, folk::users, ("users", "Who may sign in"))
            .gives::<types::Users>(),
        Route::post("/users", PEOPLE, folk::add_user, ("add_user", "Add a user"))
            .takes::<types::NewUser>()
            .gives_with::<types::User>("201", "Added."),
        Route::delete("/users/{user}", PEOPLE, folk::remove_user, ("remove_user", "Remove a user"))
            .gives_nothing(),
        Route::get("/tokens", PEOPLE, folk::tokens, ("tokens", "Bearer tokens for programs"))
            .gives::<types::Tokens>(),
        Route::post("/tokens", PEOPLE, folk::add_token, ("add_token", "Add a token"))
            .takes::<types::NewToken>()
            .gives_with::<types::TokenSecret>("201", "Added; the secret is shown this once."),
        Route::delete(
            "/tokens/{name}",
            PEOPLE,
            folk::remove_token,
            ("remove_token", "Remove a token"),
        )
        .gives_nothing(),
    ]
}

/// Returns the router of the API.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for route in table() {
        let gate = from_fn_with_state((Arc::clone(&shared), route.guard), gate);
        router = router.route(&format!("{BASE}{}", route.path), route.handler.layer(gate));
    }
    let gate = from_fn_with_state((Arc::clone(&shared), Guard::Right(Right::Read)), gate);
    router = router.route(metrics::PATH, on(MethodFilter::GET, metrics::show).layer(gate));
    router.with_state(shared)
}

/// Returns the OpenAPI document.
pub fn openapi() -> OpenApi {
    let problem = Ref::from_schema_name(types::Problem::name());
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new()
        .schema(types::Problem::name(), types::Problem::schema())
        .security_scheme(
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        )
        .security_scheme(
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE_NAME))),
        );
    let mut schemas = Vec::new();
    types::Problem::schemas(&mut schemas);
    for route in table() {
        let content = ContentBuilder::new().schema(Some(problem.clone())).build();
        let refused = ResponseBuilder::new()
            .description("Not done; the body says why, in both languages.")
            .content(JSON, content);
        let operation = route.operation.response("default", refused).build();
        let path = format!("{BASE}{}", route.path);
        paths = paths.path(path, PathItem::new(route.method, operation));
        schemas.extend(route.schemas);
    }
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Miaopu")
        .version("1")
        .description(Some("Watches seedling nurseries. Times are RFC 3339 in UTC."))
        .license(Some(license))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

/// Returns the OpenAPI document as the committed file has it.
pub fn openapi_text() -> String {
    let mut text = openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// `GET /openapi.json`.
async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, JSON)], openapi_text())
}

/// Answers a method that a path does not know.
pub(crate) async fn no_such_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "这个地址不支持该方法;接口清单见 /api/v1/openapi.json",
        "this address does not know the method; /api/v1/openapi.json lists what there is",
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn generated_openapi_is_the_committed_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        if std::env::var_os("MIAOPU_WRITE_GENERATED").is_some() {
            std::fs::write(&path, openapi_text()).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == openapi_text(), "openapi.json is stale: set MIAOPU_WRITE_GENERATED=1");
    }

    #[test]
    fn only_these_routes_are_open_to_everyone() {
        let open: Vec<_> =
            table().iter().filter(|it| it.guard == Guard::Open).map(|it| it.path).collect();
        assert_eq!(open, ["/session", "/health", "/trust", "/openapi.json"]);
    }

    #[test]
    fn what_changes_something_needs_more_than_reading() {
        for route in table() {
            let reads = matches!(route.guard, Guard::Right(Right::Read));
            assert!(!reads || route.method == HttpMethod::Get, "{}", route.path);
        }
    }
}
