//! Every route, with whom it lets in and what it takes and gives. Router and OpenAPI document are
//! made from this one table, and a route can't be written without a guard.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use people::Right;
use tower_http::limit::RequestBodyLimitLayer;
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

use crate::ask::BODY_BYTES_MAX;
use crate::firmware::FIRMWARE_BYTES_MAX;
use crate::germplasm::IMPORT_BYTES_MAX;
use crate::guard::{COOKIE_NAME, Guard, gate};
use crate::problem::Refusal;
use crate::server::Shared;
use crate::{
    answers, batches, calibrations, charts, events, firmware, folk, germplasm, inbox, letters,
    messages, metrics, night, nodes, places, session, trust, types,
};
use crate::{exposures, sheet, studies};

/// Where the API begins.
pub const BASE: &str = "/api/v1";

const JSON: &str = "application/json";
const CSV: &str = "text/csv";
const BYTES: &str = "application/octet-stream";
const ZIP: &str = "application/zip";

/// A route: its handler behind its guard, and its words in the OpenAPI document.
struct Route {
    method: HttpMethod,
    path: &'static str,
    guard: Guard,
    handler: MethodRouter<Arc<Shared>, Infallible>,
    operation: OperationBuilder,
    schemas: Vec<(String, RefOr<Schema>)>,
    /// The largest body that it takes, in bytes.
    body_bytes_max: usize,
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
        Self {
            method,
            path,
            guard,
            handler: on(filter, handler),
            operation,
            schemas: Vec::new(),
            body_bytes_max: BODY_BYTES_MAX,
        }
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

    /// Says that it takes a CSV file of at most so many bytes.
    fn takes_csv(mut self, bytes_max: usize) -> Self {
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content(CSV, ContentBuilder::new().schema(Some(text())).build());
        self.operation = self.operation.request_body(Some(body.build()));
        self.body_bytes_max = bytes_max;
        self
    }

    /// Says that it takes a firmware package of at most so many bytes.
    fn takes_package(mut self, bytes_max: usize) -> Self {
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content(BYTES, ContentBuilder::new().schema(Some(text())).build());
        self.operation = self.operation.request_body(Some(body.build()));
        self.body_bytes_max = bytes_max;
        self
    }

    fn gives_zip(self) -> Self {
        self.answer("200", "Done.", ZIP, text())
    }

    fn gives_csv(self) -> Self {
        self.answer("200", "Done.", CSV, text())
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
    routes.extend(place_routes());
    routes.extend(calibration_routes());
    routes.extend(firmware_routes());
    routes.extend(letter_routes());
    routes.extend(batch_routes());
    routes.extend(germplasm_routes());
    routes.extend(study_routes());
    routes.extend(alarm_routes());
    routes.extend(night_routes());
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
        Route::post(
            "/session/contact",
            Guard::SignedIn,
            messages::set_own_contact,
            ("set_own_contact", "Say where one is told of alarms"),
        )
        .takes::<types::Contact>()
        .gives::<types::Contact>(),
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

fn place_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const RUN: Guard = Guard::Right(Right::RunNursery);
    const NODES: Guard = Guard::Right(Right::ManageNodes);
    vec![
        Route::get("/setup", READ, places::setup, ("setup", "How far the first hour has come"))
            .gives::<types::Setup>(),
        Route::get("/crops", READ, places::crops, ("crops", "Crops with methods and stages"))
            .gives_list::<types::Crop>(),
        Route::get("/sites", READ, places::list, ("sites", "Every site with its zones"))
            .gives_list::<types::Site>(),
        Route::post("/sites", RUN, places::put_site, ("put_site", "Make or change a site"))
            .takes::<types::NewSite>()
            .gives::<types::Site>(),
        Route::post("/zones", RUN, places::put_zone, ("put_zone", "Make or change a zone"))
            .takes::<types::NewZone>()
            .gives::<types::SiteZone>(),
        Route::post(
            "/nodes",
            NODES,
            places::add_node,
            ("add_node", "Add a node, or give a known one a new secret"),
        )
        .takes::<types::NewNode>()
        .gives_with::<types::NodeSecret>("201", "Added; the secret is shown this once."),
        Route::get(
            "/nodes/{site}/{node}/settings",
            READ,
            nodes::show,
            ("node_settings", "What a node is set to, and how that and its commands stand"),
        )
        .gives::<types::NodeStanding>(),
        Route::post(
            "/nodes/{site}/{node}/settings",
            NODES,
            nodes::set,
            ("set_node", "Set a node; it takes them when it is heard next"),
        )
        .takes::<types::NodeSettingsChange>()
        .gives::<types::NodeStanding>(),
        Route::post(
            "/nodes/{site}/{node}/commands",
            NODES,
            nodes::command,
            ("command_node", "Tell a node to blink, restart or say what it is"),
        )
        .takes::<types::NodeAsk>()
        .gives_with::<types::NodeStanding>("202", "It is being told."),
    ]
}

fn calibration_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const NODES: Guard = Guard::Right(Right::ManageNodes);
    vec![
        Route::get(
            "/channels/{id}/calibrations",
            READ,
            calibrations::list,
            ("calibrations", "How a channel's sensor reads against a reference, the newest first"),
        )
        .gives::<types::Calibrations>(),
        Route::post(
            "/channels/{id}/calibrations",
            NODES,
            calibrations::add,
            ("add_calibration", "Enter a calibration; what it touches is computed again"),
        )
        .takes::<types::NewCalibration>()
        .gives_with::<types::CalibrationTouched>("201", "It holds from now on."),
        Route::post(
            "/calibrations/{number}/withdrawal",
            NODES,
            calibrations::withdraw,
            ("withdraw_calibration", "Withdraw a calibration; what that touches is computed again"),
        )
        .takes::<types::CalibrationWithdrawal>()
        .gives::<types::CalibrationTouched>(),
    ]
}

fn firmware_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const NODES: Guard = Guard::Right(Right::ManageNodes);
    vec![
        Route::get(
            "/firmware",
            READ,
            firmware::list,
            ("firmware", "Every release, and how far nodes have come with what they were offered"),
        )
        .gives::<types::Firmware>(),
        Route::post(
            "/firmware/releases",
            NODES,
            firmware::add,
            ("add_release", "Keep a firmware package"),
        )
        .takes_package(FIRMWARE_BYTES_MAX)
        .gives_with::<types::FirmwareRelease>("201", "Kept; the same one again changes nothing."),
        Route::delete(
            "/firmware/releases/{target}/{release}",
            NODES,
            firmware::remove,
            ("remove_release", "Remove a release that no node was offered last"),
        )
        .gives_nothing(),
        Route::post(
            "/nodes/{site}/{node}/firmware",
            NODES,
            firmware::offer,
            ("offer_release", "Offer a release to a node"),
        )
        .takes::<types::FirmwareOffer>()
        .gives_with::<types::FirmwareRollout>("202", "It is being offered."),
        Route::delete(
            "/nodes/{site}/{node}/firmware",
            NODES,
            firmware::cancel,
            ("cancel_release", "Take an offer back"),
        )
        .gives::<types::FirmwareRollout>(),
    ]
}

fn letter_routes() -> Vec<Route> {
    const NODES: Guard = Guard::Right(Right::ManageNodes);
    vec![
        Route::get(
            "/dead-letters",
            NODES,
            letters::list,
            ("dead_letters", "Messages that could not be understood, newest first"),
        )
        .query("limit", "The most letters, 1 to 500; 100 where absent.")
        .gives::<types::DeadLetters>(),
        Route::post(
            "/dead-letters/{number}/replay",
            NODES,
            letters::replay,
            ("replay_dead_letter", "Have a message taken again"),
        )
        .gives_with::<types::DeadLetter>("202", "It is taken within seconds."),
        Route::delete(
            "/dead-letters/{number}",
            NODES,
            letters::discard,
            ("drop_dead_letter", "Drop a message for good"),
        )
        .gives_nothing(),
    ]
}

fn study_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const EXPORT: Guard = Guard::Right(Right::Export);
    vec![
        Route::get(
            "/batches/{site}/{batch}/exposure",
            READ,
            exposures::show,
            ("exposure", "What a batch lived through, by stage"),
        )
        .gives::<types::BatchExposure>(),
        Route::get(
            "/batches/{site}/{batch}/series",
            READ,
            exposures::series,
            ("batch_series", "A quantity from a batch's start on"),
        )
        .query("quantity", "Such as `air_temperature`, the default.")
        .query("points", "The most buckets, 1 to 10000; 500 where absent.")
        .query("hours", "How many hours from its start on; its whole life where absent.")
        .gives::<types::BatchSeries>(),
        Route::get("/sheet", READ, sheet::show, ("sheet", "A site's day on one sheet of paper"))
            .query("site", "The site; the first where absent.")
            .query("date", "The site's own day, such as `2026-11-23`; today where absent.")
            .gives::<types::Sheet>(),
        Route::post(
            "/studies/preview",
            EXPORT,
            studies::preview,
            ("preview_study", "What a study's file would hold"),
        )
        .takes::<types::StudyRequest>()
        .gives::<types::StudyPreview>(),
        Route::get(
            "/studies/export",
            EXPORT,
            studies::export,
            ("export_study", "What batches lived through beside the raw readings, as a ZIP"),
        )
        .query("batch", "A batch, as `SITE/BATCH`; once for each.")
        .query("from", "First time, included: RFC 3339. The first batch's start where absent.")
        .query("to", "Last time, not included. The last batch's end, or now, where absent.")
        .gives_zip(),
    ]
}

fn batch_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const RUN: Guard = Guard::Right(Right::RunNursery);
    vec![
        Route::get("/batches", READ, batches::list, ("batches", "Batches, open ones first"))
            .query("state", "`open` (default), `closed` or `all`.")
            .query("site", "Only those of this site.")
            .query("zone", "Only those that stand in this zone, or stood there last.")
            .gives::<types::Batches>(),
        Route::post("/batches", RUN, batches::add, ("add_batch", "Begin a batch"))
            .takes::<types::NewBatch>()
            .gives_with::<types::Batch>("201", "Added."),
        Route::get(
            "/batches/{site}/{batch}",
            READ,
            batches::show,
            ("batch", "A batch with its stages, places and what people did to it"),
        )
        .gives::<types::BatchDetail>(),
        Route::post(
            "/batches/{site}/{batch}/move",
            RUN,
            batches::put,
            ("move_batch", "Move a batch to another place"),
        )
        .takes::<types::BatchMove>()
        .gives::<types::Batch>(),
        Route::post(
            "/batches/{site}/{batch}/stage",
            RUN,
            batches::enter,
            ("stage_batch", "Say which stage a batch has reached"),
        )
        .takes::<types::BatchStageChange>()
        .gives::<types::Batch>(),
        Route::post(
            "/batches/{site}/{batch}/close",
            RUN,
            batches::close,
            ("close_batch", "End a batch"),
        )
        .takes::<types::BatchClose>()
        .gives::<types::Batch>(),
    ]
}

fn germplasm_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const CURATE: Guard = Guard::Right(Right::CurateGermplasm);
    const EXPORT: Guard = Guard::Right(Right::Export);
    vec![
        Route::get("/accessions", READ, germplasm::list, ("accessions", "Find accessions"))
            .query("search", "Words that all stand in what names an accession.")
            .query("limit", "The most accessions, 1 to 1000; 100 where absent.")
            .query("after", "What the page before said as `next`.")
            .gives::<types::Accessions>(),
        Route::get(
            "/accessions/{id}",
            READ,
            germplasm::show,
            ("accession", "An accession with every descriptor"),
        )
        .gives::<types::AccessionDetail>(),
        Route::post(
            "/accessions/import",
            CURATE,
            germplasm::import,
            (
                "import_accessions",
                "Import an MCPD v2.1 file: all of it, all but its faulty rows, or nothing",
            ),
        )
        .query(
            "faulty",
            "`refuse` (default): one faulty row keeps all out; `skip`: all but the faulty rows.",
        )
        .query("check", "`true` only says what would happen; `false` where absent.")
        .takes_csv(IMPORT_BYTES_MAX)
        .gives::<types::Import>(),
        Route::get(
            "/accessions/export",
            EXPORT,
            germplasm::export,
            ("export_accessions", "Every accession as an MCPD v2.1 file"),
        )
        .gives_csv(),
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
        Route::post(
            "/alarms/{id}/shelve",
            ANSWER,
            night::shelve,
            ("shelve", "Put an alarm aside: it is judged as ever and wakes nobody"),
        )
        .takes::<types::Shelve>()
        .gives::<types::Alarm>(),
        Route::post(
            "/alarms/{id}/unshelve",
            ANSWER,
            night::unshelve,
            ("unshelve", "Take an alarm from the shelf"),
        )
        .takes::<types::AlarmComment>()
        .gives::<types::Alarm>(),
    ]
}

fn night_routes() -> Vec<Route> {
    const READ: Guard = Guard::Right(Right::Read);
    const ANSWER: Guard = Guard::Right(Right::AnswerAlarms);
    const RUN: Guard = Guard::Right(Right::RunNursery);
    vec![
        Route::post(
            "/answers/look",
            Guard::Open,
            answers::look,
            ("look_answer", "What stands behind a message's link; the token is the credential"),
        )
        .takes::<types::AnswerToken>()
        .gives::<types::AnswerCard>(),
        Route::post(
            "/answers",
            Guard::Open,
            answers::answer,
            ("answer", "Acknowledge by a message's link, once; the token is the credential"),
        )
        .takes::<types::AnswerToken>()
        .gives::<types::AnswerCard>(),
        Route::get("/notes", READ, night::notes, ("notes", "Notes for the next shift"))
            .query("state", "`open` (default) or `all`.")
            .gives::<types::Notes>(),
        Route::post("/notes", ANSWER, night::add_note, ("add_note", "Leave a note"))
            .takes::<types::NewNote>()
            .gives_with::<types::Note>("201", "Added."),
        Route::post(
            "/notes/{id}/done",
            ANSWER,
            night::finish_note,
            ("finish_note", "Put a note away"),
        )
        .gives::<types::Note>(),
        Route::post(
            "/limits/confirm",
            RUN,
            night::confirm,
            (
                "confirm_limit",
                "Say that a limit of a weak source is right here; it wakes from then on",
            ),
        )
        .takes::<types::ConfirmLimit>()
        .gives_nothing(),
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
        Route::post(
            "/users/{user}/contact",
            PEOPLE,
            messages::set_contact,
            ("set_contact", "Say where a user is told of alarms"),
        )
        .takes::<types::Contact>()
        .gives::<types::Contact>(),
        Route::get("/notify", PEOPLE, messages::show, ("notify", "How messages leave the gateway"))
            .gives::<types::Notify>(),
        Route::post(
            "/notify/test",
            PEOPLE,
            messages::test,
            ("test_notify", "Send a test message to one's own e-mail and to the webhook"),
        )
        .gives::<types::NotifyTest>(),
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
        let limit = RequestBodyLimitLayer::new(route.body_bytes_max);
        let handler = route
            .handler
            .layer::<_, Infallible>(gate)
            .layer::<_, Infallible>(DefaultBodyLimit::disable())
            .layer::<_, Infallible>(limit);
        router = router.route(&format!("{BASE}{}", route.path), handler);
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
        assert_eq!(
            open,
            ["/session", "/health", "/trust", "/openapi.json", "/answers/look", "/answers"]
        );
    }

    #[test]
    fn what_changes_something_needs_more_than_reading() {
        for route in table() {
            let reads = matches!(route.guard, Guard::Right(Right::Read));
            assert!(!reads || route.method == HttpMethod::Get, "{}", route.path);
        }
    }
}
