//! Finding one actor by its path, its name or its id, in this process or in those below it.

use std::sync::Arc;
use std::time::Duration;

use raytree_supervise::Probe;
use raytree_types::inspect::{Answer, Missing, Refused, Request, THE_PROGRAM, TreeRow};
use raytree_types::limits;

use crate::answer::may_be_there;
use crate::near::near;
use crate::walk;
use crate::whole::{Seam, ask_all, seams};

/// What is said of one actor of this process, or by the process that has it.
///
/// # Errors
/// [`Refused::NoSuchPath`] with names that are like it, [`Refused::Ambiguous`].
pub(crate) fn find(
    root: &Arc<Probe>,
    request: &Request,
    within: Duration,
    say: impl Fn(&Arc<Probe>) -> Result<Answer, Refused>,
) -> Result<Answer, Refused> {
    let which = asked(request);
    let path = walk::from_root(which, root.name());
    let missed = match walk::find(vec![Arc::clone(root)], &path) {
        Ok(probe) => return say(&living(root, probe)),
        Err(missed) => missed,
    };
    let (named, mut known) = named(root, which, false);
    match &named[..] {
        [] => {}
        [one] => return say(one),
        many => return Err(ambiguous(which, many.iter().map(|probe| probe.path()))),
    }
    let seams = seams(root, None);
    if let Some((seam, rest)) = through(&seams, &path) {
        return there(seam, &about(request, rest), within);
    }
    let acts = matches!(request, Request::End { .. });
    match whereabouts(&seams, which, within, acts) {
        Ok(Place::There(seam, rest)) => there(seam, &about(request, rest), within),
        Ok(Place::Nowhere(near)) => {
            // Those that others know come first: of a large tree not all are compared.
            known.splice(0..0, near);
            Err(closest(missed, which, &known))
        }
        Err(refused) => Err(refused),
    }
}

/// About whom it is.
pub(crate) fn asked(request: &Request) -> &str {
    match request {
        Request::Actor { which } | Request::Why { which } | Request::End { which, .. } => which,
        _ => "",
    }
}

/// The same about somebody else.
fn about(request: &Request, which: String) -> Request {
    match request {
        Request::Why { .. } => Request::Why { which },
        Request::End { how, confirmed, .. } => {
            Request::End { which, how: *how, confirmed: *confirmed }
        }
        _ => Request::Actor { which },
    }
}

/// Those in this process with this name or id, with or without those that stand for somebody else's; and the names and
/// ids of all.
pub(crate) fn named(
    root: &Arc<Probe>,
    which: &str,
    borrowed: bool,
) -> (Vec<Arc<Probe>>, Vec<String>) {
    let (mut found, mut known) = (Vec::new(), Vec::new());
    let mut open = vec![Arc::clone(root)];
    while let Some(probe) = open.pop() {
        let name = probe.name();
        let base = name.rsplit_once('#').map_or(name, |(base, _)| base);
        let is_id = || probe.actor().is_some_and(|id| id.to_string() == which);
        if (name == which || base == which || is_id()) && (borrowed || !probe.is_borrowed()) {
            found.push(Arc::clone(&probe));
        }
        known.push(base.to_owned());
        known.extend(probe.actor().map(|id| id.to_string()));
        open.extend(probe.children().into_iter().rev());
    }
    // Whoever asked another process for it may have been given it back: it is meant, and not what stands in for it.
    let lives = |probe: &Arc<Probe>| probe.host().is_none();
    let living: Vec<_> = found.iter().filter(|probe| lives(probe)).map(|one| one.actor()).collect();
    found
        .retain(|probe| lives(probe) || probe.actor().is_none_or(|id| !living.contains(&Some(id))));
    (found, known)
}

/// The same actor where it lives, if that is in this process, too: it has the path of what stands in for it.
fn living(root: &Arc<Probe>, probe: Arc<Probe>) -> Arc<Probe> {
    let Some(id) = probe.actor().filter(|_| probe.host().is_some()) else { return probe };
    let (same, _) = named(root, &id.to_string(), false);
    same.into_iter().find(|one| one.host().is_none()).unwrap_or(probe)
}

/// The seam through which a path leads, and the rest of it.
pub(crate) fn through<'a>(seams: &'a [Seam], path: &str) -> Option<(&'a Seam, String)> {
    seams.iter().find_map(|seam| {
        let rest = path.strip_prefix(&seam.mirror.path())?.strip_prefix('/')?;
        Some((seam, rest.to_owned()))
    })
}

/// What the process behind a seam says.
fn there(seam: &Seam, request: &Request, within: Duration) -> Result<Answer, Refused> {
    let mirror = seam.mirror.path();
    match seam.passage.asks(request, within) {
        Ok(Answer::Refused(refused)) => Err(refused_there(refused, &mirror)),
        Ok(answer) => Ok(moved(answer, &mirror)),
        Err(why) => {
            Err(Refused::Unreadable { reason: format!("{mirror} cannot be looked at: {why}") })
        }
    }
}

/// Where somebody is.
enum Place<'a> {
    /// Behind this seam, and his path there below its root.
    There(&'a Seam, String),
    /// Nobody knows him; these names and ids are like his.
    Nowhere(Vec<String>),
}

/// Where somebody of this name or id is, in all processes below. Of one that lives in one process and stands in for itself in
/// another, the one who decides on its lives has the word.
fn whereabouts<'a>(
    seams: &'a [Seam],
    which: &str,
    within: Duration,
    acts: bool,
) -> Result<Place<'a>, Refused> {
    let request = Request::Actor { which: which.to_owned() };
    let answers = ask_all(seams, |passage| passage.asks(&request, within));
    let (mut found, mut silent, mut like_it) = (Vec::new(), Vec::new(), Vec::new());
    for (seam, answer) in seams.iter().zip(answers) {
        let path = seam.mirror.path();
        match answer {
            Ok(Answer::Refused(why @ Refused::Ambiguous { .. })) => {
                return Err(refused_there(why, &path));
            }
            Ok(Answer::Refused(Refused::NoSuchPath { near, .. })) => like_it.extend(near),
            Ok(Answer::Actor(detail)) => found.push((seam, detail)),
            Err(why) if !why.is_shut => silent.push(Missing { path, why: why.to_string() }),
            _ => {}
        }
    }
    // It may be there; and nobody is ended who is not surely the one that is meant.
    if !silent.is_empty() && (found.is_empty() || acts) {
        return Err(may_be_there(which, &silent));
    }
    decide(&mut found, |(_, detail)| &detail.row);
    if found.len() > 1 {
        let paths = found.iter().map(|(seam, detail)| grafted(&seam.mirror.path(), &detail.path));
        return Err(ambiguous(which, paths));
    }
    Ok(found.pop().map_or(Place::Nowhere(like_it), |(seam, detail)| {
        let rest = detail.path.split_once('/').map_or("", |(_root, rest)| rest);
        Place::There(seam, rest.to_owned())
    }))
}

/// Of one that lives in one process and stands in for itself in others, the one who decides on its lives stays: it knows which
/// process it lives in, and not only that its program does.
fn decide<T>(found: &mut Vec<T>, row: impl Fn(&T) -> &TreeRow) {
    if found.len() > 1 && found.iter().any(|one| row(one).host.is_some()) {
        found.retain(|one| row(one).host.is_some());
    }
    let id = found.first().and_then(|one| row(one).id);
    let is_one = id.is_some() && found.iter().all(|one| row(one).id == id);
    let knows = |one: &T| row(one).host.as_deref() != Some(THE_PROGRAM);
    if is_one && found.iter().any(knows) {
        found.retain(knows);
    }
}

/// An answer of a process whose mirror is there, in the words of this one.
fn moved(mut answer: Answer, mirror: &str) -> Answer {
    let moves = |path: &mut String| *path = grafted(mirror, path);
    match &mut answer {
        Answer::Actor(detail) => moves(&mut detail.path),
        Answer::End(note) => moves(&mut note.path),
        Answer::Why(story) => {
            // Others than places of the tree are called the same everywhere; so are those of a process that has ended.
            if !story.about.ends_with(')') {
                moves(&mut story.about);
            }
            let missing = std::mem::take(&mut story.missing).into_iter();
            story.missing = missing.map(|one| one.seen_from(mirror)).collect();
            let root = mirror.split('/').next().unwrap_or_default();
            let is_place = |who: &str| who.split_once('/').is_some_and(|(first, _)| first == root);
            let places = story.steps.iter_mut().filter(|step| is_place(&step.who));
            places.for_each(|step| moves(&mut step.who));
        }
        _ => {}
    }
    answer
}

/// A refusal of a process whose mirror is there, in the words of this one.
pub(crate) fn refused_there(mut refused: Refused, mirror: &str) -> Refused {
    match &mut refused {
        Refused::Ambiguous { paths, .. } => {
            paths.iter_mut().for_each(|path| *path = grafted(mirror, path));
        }
        // A name alone is not below the root of that process.
        Refused::NoSuchPath { path, .. } if !path.contains('/') => {
            *path = format!("{mirror}/{path}");
        }
        Refused::NoSuchPath { path, .. } | Refused::NotEnded { path, .. } => {
            *path = grafted(mirror, path);
        }
        _ => {}
    }
    refused
}

/// A path of a process, as it is called where the mirror of that process stands: the mirror takes the place of its root.
pub(crate) fn grafted(mirror: &str, path: &str) -> String {
    match path.split_once('/') {
        Some((_root, rest)) => format!("{mirror}/{rest}"),
        None => mirror.to_owned(),
    }
}

pub(crate) fn closest(missed: Refused, which: &str, known: &[String]) -> Refused {
    match missed {
        Refused::NoSuchPath { path, near: level } if level.is_empty() => {
            let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
            names.sort_unstable();
            names.dedup();
            let near = near(which, names.into_iter());
            // Who has meant a name is told so.
            let path = if which.contains('/') { path } else { which.to_owned() };
            Refused::NoSuchPath { path, near }
        }
        other => other,
    }
}

pub(crate) fn ambiguous(which: &str, paths: impl Iterator<Item = String>) -> Refused {
    let paths = paths.take(limits::INSPECT_NEAR_MAX).collect();
    Refused::Ambiguous { which: which.to_owned(), paths }
}

#[cfg(test)]
mod tests {
    use raytree_types::{ActorIds, RuntimeId};

    use super::*;
    use crate::fakes;

    fn why(root: &Arc<Probe>, which: &str) -> Refused {
        let request = Request::Why { which: which.to_owned() };
        let detail = |probe: &Arc<Probe>| Ok(Answer::Actor(Box::new(probe.detail())));
        find(root, &request, Duration::from_secs(1), detail).expect_err("there is none")
    }

    #[test]
    fn what_others_know_is_offered_for_a_slip() {
        let far = fakes::seam("raytree/node_pool/a", |_| Ok(fakes::nobody(&["scores"])));
        let found = whereabouts(std::slice::from_ref(&far), "scroes", Duration::ZERO, false);
        let Ok(Place::Nowhere(near)) = found else { panic!("nobody has it") };
        assert_eq!(near, ["scores"]);
        let missed = Refused::NoSuchPath { path: "raytree/scroes".to_owned(), near: Vec::new() };
        let said = closest(missed, "scroes", &near).to_string();
        assert_eq!(said, "there is no `scroes` in the tree; is `scores` meant?");
        // Through a mirror it is called as it is here.
        let root = fakes::root(|_| Ok(fakes::nobody(&["scores"])));
        let Refused::NoSuchPath { path, near } = why(&root, "node/it") else { panic!("none") };
        assert_eq!((&*path, &*near), ("raytree/it", &["scores".to_owned()][..]));
    }

    #[test]
    fn ids_are_offered_for_a_slip() {
        let (root, ids) = (Probe::alone("raytree"), ActorIds::new(RuntimeId::given(12)));
        let id = ids.next();
        root.is_actor(id);
        let near = vec![id.to_string()];
        let wrong = "actor-12-7".to_owned();
        assert_eq!(why(&root, &wrong), Refused::NoSuchPath { path: wrong, near });
    }

    #[test]
    fn several_far_away_are_called_as_they_are_here() {
        let root = fakes::root(|_| {
            let paths = ["a/scores#1", "a/scores#2"].map(str::to_owned).into();
            Ok(Answer::Refused(Refused::Ambiguous { which: "scores".to_owned(), paths }))
        });
        let Refused::Ambiguous { paths, .. } = why(&root, "scores") else { panic!("two") };
        assert_eq!(paths, ["raytree/scores#1", "raytree/scores#2"]);
    }

    #[test]
    fn of_one_that_stands_in_for_itself_the_one_who_decides_is_meant() {
        let ids = ActorIds::new(RuntimeId::next());
        let ids = [ids.next(), ids.next()];
        let row = |number: usize, host: Option<&str>| TreeRow {
            id: Some(ids[number]),
            host: host.map(str::to_owned),
            ..TreeRow::named(0, "fork")
        };
        let decided = |rows: &[(usize, Option<&str>)]| {
            let mut rows: Vec<_> = rows.iter().map(|(number, host)| row(*number, *host)).collect();
            decide(&mut rows, |row| row);
            rows.into_iter().map(|row| row.host.unwrap_or_default()).collect::<Vec<_>>()
        };
        // Where it lives, who has asked for it, and their program.
        let one = [(0, None), (0, Some(THE_PROGRAM)), (0, Some("job-1 on second"))];
        assert_eq!(decided(&one), ["job-1 on second"]);
        assert_eq!(decided(&one[..2]), [THE_PROGRAM]);
        assert_eq!(decided(&one[..1]), [""]);
        let two = [(0, Some(THE_PROGRAM)), (1, Some("job-1 on second"))];
        assert_eq!(decided(&two).len(), 2, "they are two");
    }
}
