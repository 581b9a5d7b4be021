use super::*;
use crate::spill::Rules;
use crate::spill::ledger::tests::{FUSED, ledger, wanted};
use crate::spill::ledger::{Gone, NoPlan, UsedFolder};

const ENDLESS: [Option<Room>; 1] = [Some(Room::ENDLESS)];

#[test]
fn sp_7_what_is_left_of_a_file_is_moved_when_less_than_half_of_it_is_needed() {
    let mut ledger = ledger(1, None);
    let objects = wanted(0, &[60, 60, 60, 60, 700]);
    let drafts = ledger.plan(&objects, &[Some(u64::MAX)]).unwrap();
    let at = ledger.written(&drafts, &objects, &[0; 5]);
    assert_eq!(drafts.len(), 2);
    for index in [0, 2] {
        ledger.remove(Key(index as u128), &at[index]).unwrap();
    }
    assert!(!ledger.is_any_wasteful(), "half of it is needed");
    assert_eq!(ledger.begin_anew(&ENDLESS), None);
    ledger.remove(Key(1), &at[1]).unwrap();
    assert!(ledger.is_any_wasteful());
    let anew = ledger.begin_anew(&ENDLESS).unwrap();
    assert_eq!((anew.bytes, &*anew.objects), (128, &[(Key(3), at[3])][..]));
    assert_eq!((ledger.begin_anew(&ENDLESS), ledger.is_any_wasteful()), (None, false), "once");
    assert_eq!(ledger.find(Key(3), &at[3]), Ok((0, at[3])), "it is where it was until then");
    assert_eq!(ledger.are_moved(&anew), [(0, at[3].file)]);
    let now = Extent { file: anew.file, offset: 0, ..at[3] };
    assert_eq!(ledger.find(Key(3), &at[3]), Ok((0, now)));
    assert_eq!(ledger.find(Key(3), &now), Err(Gone), "that was never said");
    assert!(!ledger.is_any_wasteful());
    assert_eq!(ledger.remove(Key(3), &at[3]), Ok(Some((0, anew.file))));
    assert_eq!(ledger.remove(Key(3), &at[3]), Err(Gone));
    assert!(ledger.moved.is_empty() && ledger.wasteful.is_empty());
}

/// Three objects, and the first two are needed no more.
fn is_wasted(ledger: &mut Ledger, len: u64) -> (Key, Extent) {
    let objects = wanted(0, &[len; 3]);
    let drafts = ledger.plan(&objects, &[Some(u64::MAX)]).unwrap();
    let at = ledger.written(&drafts, &objects, &[0; 3]);
    (0..2).for_each(|index| _ = ledger.remove(Key(index as u128), &at[index]).unwrap());
    (Key(2), at[2])
}

#[test]
fn what_is_removed_while_it_is_moved_is_not_there_afterwards() {
    let mut ledger = ledger(1, None);
    let (key, at) = is_wasted(&mut ledger, 60);
    let anew = ledger.begin_anew(&ENDLESS).unwrap();
    assert_eq!(ledger.remove(key, &at), Ok(Some((0, at.file))));
    ledger.removed(at.file);
    assert_eq!(ledger.are_moved(&anew), [(0, anew.file)], "there is nothing in it");
    ledger.removed(anew.file);
    assert_eq!((ledger.find(key, &at), ledger.used()), (Err(Gone), vec![UsedFolder::default()]));
}

#[test]
fn what_cannot_be_moved_is_as_it_was_and_a_file_that_cannot_be_read_is_not_tried_again() {
    let mut ledger = ledger(1, None);
    let (key, at) = is_wasted(&mut ledger, 60);
    let anew = ledger.begin_anew(&ENDLESS).unwrap();
    ledger.are_not_moved(&anew, None);
    assert_eq!((ledger.dead(), ledger.is_any_wasteful()), (vec![(0, anew.file)], true));
    let anew = ledger.begin_anew(&ENDLESS).unwrap();
    ledger.are_not_moved(&anew, Some(at.file));
    assert!(!ledger.is_any_wasteful());
    assert_eq!(ledger.find(key, &at), Ok((0, at)));
    assert_eq!(ledger.remove(key, &at), Ok(Some((0, at.file))));
}

#[test]
fn the_most_wasteful_files_are_moved_first_and_not_all_at_once() {
    let mut ledger = Ledger::new(&[false], Rules::default());
    let mut files = Vec::new();
    for round in 0..20 {
        let objects = wanted(0, &[0, 64 * round + 124]);
        let drafts = ledger.plan(&objects, &[Some(u64::MAX)]).unwrap();
        let at = ledger.written(&drafts, &objects, &[0; 2]);
        ledger.remove(Key(1), &at[1]).unwrap();
        files.push(at[0].file);
    }
    let none = [Some(Room { total: 0, free: 63 })];
    assert_eq!(ledger.begin_anew(&none), None, "there is no room even for that");
    let few = ledger.begin_anew(&[Some(Room { total: 0, free: 130 })]).unwrap();
    let moved = |anew: &Anew| anew.objects.iter().map(|(_, at)| at.file).collect::<Vec<_>>();
    assert_eq!(moved(&few), [files[19], files[18]], "as many as there is room for");
    ledger.are_not_moved(&few, None);
    let many = ledger.begin_anew(&ENDLESS).unwrap();
    let expected: Vec<_> = files.iter().rev().take(limits::SPILL_WASTEFUL_MAX).copied().collect();
    assert_eq!(moved(&many), expected);
}

#[test]
fn sp_6_where_a_quota_is_full_what_is_left_of_a_file_can_be_moved() {
    let mut ledger = Ledger::new(&[false], Rules { quota: Some(64 << 10), fused: u64::MAX });
    let mut all = Vec::new();
    let all_written = loop {
        let objects = wanted(all.len() as u128, &[956; 8]);
        match ledger.plan(&objects, &[Some(u64::MAX)]) {
            Ok(drafts) => all.extend(ledger.written(&drafts, &objects, &[0; 8])),
            Err(why) => break why,
        }
    };
    assert!(matches!(all_written, NoPlan::NoRoom { .. }));
    for (key, at) in (0..).zip(&all).filter(|(key, _)| key % 8 > 2) {
        ledger.remove(Key(key), at).unwrap();
    }
    while let Some(anew) = ledger.begin_anew(&ENDLESS) {
        ledger.are_moved(&anew).into_iter().for_each(|(_, file)| ledger.removed(file));
    }
    let used = ledger.used().remove(0);
    assert_eq!((used.bytes, used.live), ((all.len() as u64 / 8 * 3) << 10, used.bytes));
}

#[test]
fn beyond_a_network_and_where_nothing_is_written_any_more_nothing_is_moved() {
    let mut far = Ledger::new(&[true], Rules { quota: None, fused: FUSED });
    is_wasted(&mut far, 60);
    assert!(!far.is_any_wasteful());
    let mut ledger = ledger(1, None);
    is_wasted(&mut ledger, 60);
    ledger.leave_out(0);
    assert_eq!((ledger.is_any_wasteful(), ledger.begin_anew(&ENDLESS)), (false, None));
}
