//! Why something is as it is: what failed before, what it waits for now, or what it is to be placed on.

use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_supervise::{Probe, clock};
use raytree_types::inspect::{
    Answer, EventQuery, Missing, Refused, Request, Story, StoryStep, Who,
};

use crate::waits::Fate;
use crate::whole::{Seam, ask_all, seams};
use crate::{Inspected, search, story, waits};

/// The story of one thing, by its path, its name or its id.
///
/// # Errors
/// As for [`search::find`].
pub(crate) fn of(
    inspected: &Weak<dyn Inspected>,
    root: &Arc<Probe>,
    which: String,
    within: Duration,
) -> Result<Story, Refused> {
    if let Some(story) = inspected.upgrade().and_then(|held| held.explains(&which)) {
        return Ok(story);
    }
    let job = inspected.upgrade().and_then(|held| held.job());
    let request = Request::Why { which };
    let found = search::find(root, &request, within, |probe| {
        let log = probe.events().map(|log| log.read(&EventQuery::default()));
        let events = log.unwrap_or_default().events;
        let story = story::of(&probe.detail(), &events, clock::unix_time());
        Ok(Answer::Why(Story { job, ..story }))
    });
    let mut story = match found {
        Ok(Answer::Why(story)) => story,
        Ok(_) => {
            return Err(Refused::Unreadable { reason: "the answer makes no sense".to_owned() });
        }
        // What has no place in the tree is known to its program alone, and that may be one of those who answer.
        Err(missed @ (Refused::NoSuchPath { .. } | Refused::Unreadable { .. })) => {
            below(&seams(root, None), &request, within)?.ok_or(missed)?
        }
        Err(refused) => return Err(refused),
    };
    // Who waits for whom is known in many processes: here those are that are below this one.
    let Some(who) = story.id.map(Who::Actor) else { return Ok(story) };
    let edges = waits::at_once(inspected, within);
    let unheard = edges.missing.into_iter().filter(|one| !story.missing.contains(one));
    let unheard: Vec<Missing> = unheard.collect();
    story.missing.extend(unheard);
    if let Some((steps, fate)) = waits::of(&edges.waits, story.job, who) {
        story.is_cycle |= fate == Fate::Circle;
        story.now = match (fate, steps.last()) {
            (Fate::Circle, _) => "it is in a deadlock, until somebody there gives up".to_owned(),
            (Fate::Behind, Some(own)) => format!("it {}, behind a deadlock", own.what),
            (Fate::Waits, Some(own)) => format!("it {}", own.what),
            (_, None) => story.now,
        };
        // Processes on the way here have told a part of it already.
        let is_told = |step: &StoryStep| {
            steps.iter().any(|own| (&own.who, &own.what) == (&step.who, &step.what))
        };
        story.steps.retain(|step| !is_told(step));
        story.steps.splice(0..0, steps);
    }
    Ok(story)
}

/// What has no place in the tree, in the processes below. Programs count their tasks alike: of several it is not guessed which is
/// meant.
fn below(seams: &[Seam], request: &Request, within: Duration) -> Result<Option<Story>, Refused> {
    let which = search::asked(request);
    let (mut found, mut paths, mut missing) = (None, Vec::new(), Vec::new());
    let answers = ask_all(seams, |passage| passage.asks(request, within));
    for (seam, answer) in seams.iter().zip(answers) {
        let path = seam.mirror.path();
        match answer {
            Ok(Answer::Why(mut story)) => {
                story.missing = story.missing.into_iter().map(|one| one.seen_from(&path)).collect();
                paths.push(format!("{path}/{which}"));
                found = Some(story);
            }
            Ok(Answer::Refused(Refused::Ambiguous { paths: several, .. })) => {
                paths.extend(several.iter().map(|one| search::grafted(&path, one)));
            }
            Ok(_) => {}
            Err(why) if why.is_shut => {}
            Err(why) => missing.push(Missing { path, why: why.to_string() }),
        }
    }
    if paths.len() > 1 {
        return Err(search::ambiguous(which, paths.into_iter()));
    }
    Ok(found.map(|mut story| {
        story.missing.extend(missing);
        story
    }))
}

#[cfg(test)]
mod tests;
