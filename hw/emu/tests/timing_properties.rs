//! What holds for the time model whatever comes in, and for every seed (spec timing.md §8).

use proptest::collection::vec;
use proptest::prelude::*;
use reel_emu::time::{
    Column, DriveFactors, Figures, Mechanism, MountUse, Perturbation, Place, Retension, Robot,
    RobotFigures, Seed, Segment, StreamBuffer, WrapTable,
};
use reel_hw::BlockNumber;

fn generation() -> impl Strategy<Value = Column> {
    prop::sample::select(&Column::ALL[..])
}

/// Object numbers on the medium, near its ends, and far from sense.
fn object() -> impl Strategy<Value = BlockNumber> {
    prop_oneof![4 => 0..70_000_000_u64, 1 => 0..300_u64, 1 => any::<u64>()].prop_map(BlockNumber)
}

fn perturbation() -> impl Strategy<Value = Perturbation> {
    any::<u64>().prop_map(|seed| Perturbation::seeded(Seed(seed)))
}

fn mechanism() -> impl Strategy<Value = Mechanism> {
    let capacity = prop_oneof![Just(None), (0..1_u64 << 40).prop_map(Some)];
    (generation(), perturbation(), capacity).prop_map(|(generation, perturbation, capacity)| {
        let figures = *generation.figures();
        let figures = capacity.map_or(figures, |bytes| figures.with_capacity(bytes));
        perturbation.mechanism(&figures, "A00001", "drive 0")
    })
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let segment = (object(), 1..1000_u64).prop_map(|(first, objects)| Segment { first, objects });
    vec(segment, 0..40)
}

fn is_time(s: f64) -> bool {
    s.is_finite() && s >= 0.0
}

proptest! {
    #[test]
    fn times_are_finite_and_not_negative(
        mechanism in mechanism(), from in object(), to in object(), objects in any::<u64>(),
    ) {
        let locate_s = mechanism.locate_s(from, to);
        let floor_s = 2.0 * mechanism.figures().locate_scale * 0.9;
        prop_assert!(is_time(locate_s) && (from == to || locate_s >= floor_s));
        prop_assert!(mechanism.rewind_s(from) >= 0.09 && mechanism.rewind_s(from) < 150.0);
        prop_assert!(is_time(mechanism.unload_s(from, Retension::Twice)));
        prop_assert!(is_time(mechanism.stream_s(from, objects, f64::INFINITY)));
    }

    #[test]
    fn a_place_is_on_the_tape(mechanism in mechanism(), object in object()) {
        let (figures, place) = (mechanism.figures(), mechanism.wraps().position(object));
        prop_assert!(place.wrap < figures.wraps && place.band < 4 && place.zone < 2);
        prop_assert!((figures.lpos_min..=figures.lpos_max).contains(&place.lpos));
    }

    #[test]
    fn later_objects_are_never_on_earlier_wraps(
        mechanism in mechanism(), one in object(), two in object(),
    ) {
        let wraps = mechanism.wraps();
        prop_assert!(wraps.wrap_of(one.min(two)) <= wraps.wrap_of(one.max(two)));
    }

    #[test]
    fn a_slower_host_never_finishes_sooner(
        mechanism in mechanism(), from in object(), objects in 0..10_000_000_u64,
        one in 1.0..800.0_f64, two in 1.0..800.0_f64,
    ) {
        // A host below top speed hides the turns that a quicker one waits for: at most all of them.
        let (slow, quick) = (one.min(two), one.max(two));
        let time_s = |host| mechanism.stream_s(from, objects, host);
        let turns_s = f64::from(mechanism.figures().wraps) * mechanism.figures().turn_s;
        prop_assert!(is_time(time_s(slow)) && time_s(slow) + turns_s >= time_s(quick));
    }

    #[test]
    fn wraps_hold_what_they_may(
        generation in generation(), perturbation in perturbation(),
    ) {
        let figures = generation.figures();
        let table = perturbation.wraps(figures, "A00001");
        let nominal = WrapTable::nominal(figures);
        let counts = |table: &WrapTable| {
            let starts = std::iter::once(0).chain(table.ends().iter().copied());
            table.ends().iter().zip(starts).map(|(end, start)| end - start).collect::<Vec<_>>()
        };
        for (count, nominal) in counts(&table).into_iter().zip(counts(&nominal)) {
            let deviation = count as f64 - nominal as f64;
            prop_assert!(deviation.abs() <= 0.02 * nominal as f64 + 0.5);
        }
        let room = table.room() as f64 / nominal.room() as f64;
        prop_assert!((0.987..1.013).contains(&room), "{}", room);
    }

    #[test]
    fn drives_deviate_within_bounds(perturbation in perturbation(), name in "[a-z0-9]{0,8}") {
        let DriveFactors { motion, top_speed } = perturbation.drive(&name);
        prop_assert!((0.90..=1.10).contains(&motion) && (0.95..=1.05).contains(&top_speed));
        let mut jitter = perturbation.jitter(&name);
        let operations: Vec<_> = (0..20).map(|_| jitter.operation(100.0)).collect();
        prop_assert!(operations.iter().all(|s| (97.0..=103.0).contains(s)));
        let first_load_s = perturbation.first_load_s(&name);
        prop_assert!((2400.0..=7200.0).contains(&first_load_s));
    }

    #[test]
    fn robots_deviate_within_bounds(perturbation in perturbation()) {
        let mut robot = Robot::new(RobotFigures::FRAME, perturbation.jitter("changer"));
        let moves: Vec<_> = (0..20).map(|_| robot.move_s(Place::Slot, Place::Drive)).collect();
        prop_assert!(moves.iter().all(|s| (7.0..=13.0).contains(s)));
    }

    #[test]
    fn bad_spots_are_on_the_medium(generation in generation(), perturbation in perturbation()) {
        let figures = generation.figures();
        let spots = perturbation.bad_spots(figures, "A00001");
        let tb = figures.capacity_bytes.div_ceil(1_000_000_000_000) as usize;
        prop_assert!(spots.as_slice().len() <= 3 * (tb + 1));
        for spot in spots.as_slice() {
            prop_assert!((3..=191).contains(&spot.objects) && spot.end().0 <= figures.objects());
            prop_assert!((0.05..=0.5).contains(&spot.speed_share));
            prop_assert!((1.05..=1.5).contains(&spot.room_per_object));
            prop_assert_eq!(spots.at(spot.first), Some(spot));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_figures(generation in generation(), seed in any::<u64>()) {
        let build = || {
            let perturbation = Perturbation::seeded(Seed(seed));
            let mut jitter = perturbation.jitter("drive 0");
            let operations: Vec<_> = (0..10).map(|_| jitter.operation(1.0)).collect();
            let figures: &Figures = generation.figures();
            (perturbation.mechanism(figures, "A00001", "drive 0"), operations)
        };
        prop_assert_eq!(build(), build());
        let other = Perturbation::seeded(Seed(seed.wrapping_add(1)));
        prop_assert_ne!(other.wraps(generation.figures(), "A00001"), build().0.wraps().clone());
    }

    #[test]
    fn shortest_first_visits_each_once_and_the_nearest_next(
        mechanism in mechanism(), from in object(), segments in segments(),
    ) {
        let order = mechanism.shortest_first(from, &segments);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..segments.len()).collect::<Vec<_>>());
        let mut head = from;
        for (at, index) in order.iter().enumerate() {
            let cost_s = |index: &usize| mechanism.locate_s(head, segments[*index].first);
            prop_assert!(order[at..].iter().all(|other| cost_s(index) <= cost_s(other)));
            head = segments[*index].end();
        }
        prop_assert!(is_time(mechanism.order_cost(from, &segments, &order).total_s()));
    }

    #[test]
    fn a_stream_never_waits_for_ever_nor_loses_data(
        mechanism in mechanism(), from in object(), is_writing in any::<bool>(),
        steps in vec((0.0..20.0_f64, 0..64_000_000_u32, any::<bool>()), 1..100),
    ) {
        let (figures, halts) = (mechanism.figures(), mechanism.halts_from(from));
        let mut stream = if is_writing {
            StreamBuffer::writing(figures, halts, 0.0)
        } else {
            StreamBuffer::reading(figures, halts, 0.0, 1e6)
        };
        let (mut now_s, mut sum_mb) = (0.0, 0.0);
        for (pause_s, bytes, flushes) in steps {
            now_s += pause_s;
            let wait_s = stream.transfer(now_s, bytes);
            prop_assert!(is_time(wait_s));
            now_s += wait_s;
            sum_mb += f64::from(bytes) / 1e6;
            let on_tape_or_not = stream.moved_mb() + if is_writing { stream.level_mb() } else { -stream.level_mb() };
            prop_assert!((on_tape_or_not - sum_mb).abs() < 1e-3, "{} {}", on_tape_or_not, sum_mb);
            prop_assert!((-1e-3..=figures.buffer_mb + 1e-3).contains(&stream.level_mb()));
            if flushes && is_writing {
                let drain_s = stream.flush(now_s);
                prop_assert!(is_time(drain_s) && stream.level_mb() == 0.0);
                now_s += drain_s;
            }
        }
        prop_assert!(stream.counts().underruns <= stream.counts().stops);
    }

    #[test]
    fn formulas_of_any_rate_give_times(
        generation in generation(), host in any::<f64>(), level in 0.0..1e4_f64, pause in 0.0..1e4_f64,
    ) {
        let figures = generation.figures();
        if let Some(starving) = figures.starving(host) {
            prop_assert!(starving.rate_mb_s >= 0.0 && starving.rate_mb_s <= host.max(0.0) * 1.000_001);
        }
        let stall = figures.stall(host, level, pause, host);
        prop_assert!(stall.lost_s >= 0.0 && stall.runs_on_s >= 0.0);
        prop_assert!(figures.flush(level, host, host).restart_s >= 4.0);
    }

    #[test]
    fn more_use_never_means_less_retension(
        uses in vec((0..70_000_000_u64, 1..1_000_000_u64), 0..20),
    ) {
        let mut mount = MountUse::default();
        let mut before = mount.retension();
        for (from, objects) in uses {
            mount.transfer(BlockNumber(from), objects, objects * 262_144);
            prop_assert!(mount.retension() >= before);
            before = mount.retension();
        }
    }
}

/// §7: what shortest-first costs of ascending order, on segments all over the tape.
#[test]
fn shortest_first_is_far_cheaper_than_ascending() {
    let lto8 = Mechanism::from(Column::Lto8);
    for (count, seed) in [(10, 1), (100, 2), (1000, 3)] {
        let mut draws = reel_emu::time::seed::Generator::new(seed);
        let mut firsts: Vec<_> = (0..count).map(|_| draws.below(45_000_000)).collect();
        firsts.sort_unstable();
        let segment = |first| Segment { first: BlockNumber(first), objects: 64 };
        let segments: Vec<_> = firsts.into_iter().map(segment).collect();
        let cost_s = |order: &[usize]| lto8.order_cost(BlockNumber(0), &segments, order).locate_s();
        let ascending: Vec<_> = (0..segments.len()).collect();
        let shortest = lto8.shortest_first(BlockNumber(0), &segments);
        let share = cost_s(&shortest) / cost_s(&ascending);
        assert!((0.30..0.65).contains(&share), "{count}: {share}");
    }
}
