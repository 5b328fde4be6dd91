//! `GET /v1/modules`: all modules of the registry, latest first. Public.

use axum::{extract::State, response::Response};

use super::long::LongList;
use crate::{modules_view::summary, parts::Lists, present::Present, refusal::Refusal};

pub(crate) async fn get(State(present): State<Present>, State(lists): State<Lists>) -> Result<Response, Refusal> {
    let turn = lists.turn().await;
    let (registry, now) = (present.registry(), present.now());
    let mut modules: Vec<_> = registry.modules().map(|record| (record.index, record.submission.module)).collect();
    modules.sort_unstable_by_key(|(index, _)| std::cmp::Reverse(*index));
    let kept_bytes = std::mem::size_of_val(&modules[..]);
    let of_one = move |(_, digest): &_| registry.module(digest).map(|record| summary(&registry, record, now));
    LongList::default().with("modules", modules, kept_bytes, of_one).answer(turn).await
}
