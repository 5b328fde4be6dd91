//! `GET /v1/modules`: all modules of the registry, latest first. Public.

use axum::{extract::State, response::Response};
use http::StatusCode;
use iog_protocol::api::ModuleList;

use super::json;
use crate::{modules_view::summary, parts::Lists, present::Present};

pub(crate) async fn get(State(present): State<Present>, State(lists): State<Lists>) -> Response {
    let _turn = lists.turn().await;
    let (registry, now) = (present.registry(), present.now());
    let mut modules: Vec<_> = registry.modules().map(|record| summary(&registry, record, now)).collect();
    modules.sort_by_key(|module| std::cmp::Reverse(module.index));
    json(StatusCode::OK, &ModuleList { modules })
}
