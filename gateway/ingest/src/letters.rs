//! Dead letters that a person wants to be taken again.
//!
//! A letter may be good now: the gateway understands more, or the node's birth names more channels. It
//! goes through the same steps as a message from the broker and is stored once by its sequences. What
//! it does not do is what belongs to its moment: it is no sign of life, brings no birth or answer, and
//! its node is not acknowledged, because the echo in it is old and the node sets its clock by that. The
//! node sends again what it still has, and hears then.

use std::sync::Arc;

use wire::{Body, Topic, TopicKind};

use crate::intake::Frame;
use crate::ports::{DeadLetter, Nodes};
use crate::ranges;

/// The most letters taken again at one look, so that live readings do not wait for long.
pub const LETTERS_PER_LOOK_MAX: usize = 32;

/// Returns the frame that a letter holds.
///
/// # Errors
/// Why it can't be stored, in words.
pub(crate) fn frame(letter: &DeadLetter, nodes: &Nodes) -> Result<Frame, String> {
    let topic = Topic::parse(&letter.topic).map_err(|error| error.to_string())?;
    if topic.kind != TopicKind::Data {
        return Err(format!("a message on `{}` is of its moment only; drop it", topic.kind));
    }
    let node = topic.node_key();
    let data = wire::decode_data(&letter.payload).map_err(|error| error.to_string())?;
    let birth = nodes.get(&node).map(|state| Arc::clone(&state.birth));
    let birth =
        birth.filter(|it| it.flash == data.flash && data.boot <= it.boot).ok_or_else(|| {
            let (flash, boot) = (data.flash, data.boot);
            format!(
                "no birth of {node} with flash {flash} and boot {boot} is known; let it connect"
            )
        })?;
    let channels = birth.channels.len();
    let mut used = Vec::new();
    match &data.body {
        Body::Readings { first, readings, .. } => {
            if ranges::run_of(*first, readings.len()).is_none() {
                return Err("no readings, or sequences beyond the last one".to_owned());
            }
            used.extend(readings.iter().map(|reading| reading.channel));
        }
        Body::Event { event, .. } => used.push(event.channel),
        Body::Gap { .. } => {}
        Body::Answer { .. } | Body::Update { .. } => {
            return Err("an answer is of its moment only; drop it".to_owned());
        }
    }
    if let Some(unknown) = used.into_iter().find(|&channel| usize::from(channel) >= channels) {
        return Err(format!("channel {unknown} of {channels} in the birth"));
    }
    Ok(Frame { node, birth, received: letter.time, data, is_withheld: true })
}
