//! Who sees pages of which scenario, when, and how many items on each.
use super::super::SimulateConfig;
use super::super::random::{Stream, normal, rng, shared_out};
use super::markets::Shape;
use crate::industrial::DAY;
use rand::RngExt;

/// Impressions of a session.
const SHORTEST: usize = 12;
pub(super) const LONGEST: usize = 40;
/// Log-normal spread of users' impressions in a scenario.
const ACTIVITY: f64 = 0.8;
/// How likely a user of another scenario is one of the widest one, too.
const OVERLAP: f64 = 0.9;
/// Seconds from one impression to the next.
pub(super) const PACE: i64 = 3;

/// A session.
#[derive(Clone, Copy)]
pub(super) struct Session {
    pub scenario: u16,
    /// Of its first impression.
    pub time: i64,
    pub impressions: usize,
}

/// Every user's sessions, in order of time; together as many impressions as there are rows.
pub(super) fn plan(shape: &Shape, config: SimulateConfig) -> Vec<Vec<Session>> {
    let sizes = shape.sizes;
    let total: f64 = sizes.iter().map(|s| s.impressions).sum();
    let most = sizes.iter().map(|s| s.users).fold(0.0, f64::max);
    let share = |n: f64| (n / most * shape.widest * config.users as f64).round() as usize;
    let rows: Vec<f64> = sizes.iter().map(|s| s.impressions / total).collect();
    let rows = shared_out(&rows, config.rows, SHORTEST, usize::MAX);
    let wide = share(most);
    let mut all = vec![Vec::new(); config.users];
    for (scenario, (size, rows)) in sizes.iter().zip(rows).enumerate() {
        let r = &mut rng(config.seed, Stream::Users, 1 + scenario as u64);
        // A session has to fit.
        let n = share(size.users).clamp(1, (rows / SHORTEST).max(1)).min(config.users);
        let members = members(config.users, wide, n, size.users == most, r);
        let activity: Vec<f64> = members.iter().map(|_| (ACTIVITY * normal(r)).exp()).collect();
        for (user, own) in members.iter().zip(shared_out(&activity, rows, SHORTEST.min(rows / n), usize::MAX))
        {
            let mut left = own;
            while left > 0 {
                let wanted = r.random_range(SHORTEST..=LONGEST);
                // What would be left is no session of its own.
                let impressions = if left < wanted + SHORTEST { left.min(LONGEST) } else { wanted };
                left -= impressions;
                let day = r.random_range(0..shape.days) * DAY;
                // More in the evening than in the morning.
                let hour = 24.0 * r.random::<f64>().powf(0.6);
                let time = shape.start + day + (hour * 3600.0) as i64 % DAY;
                all[*user].push(Session { scenario: scenario as u16, time, impressions });
            }
        }
    }
    for sessions in &mut all {
        sessions.sort_by_key(|s| s.time);
        // One after the other: nobody sees two pages at once.
        for i in 1..sessions.len() {
            let end = sessions[i - 1].time + PACE * sessions[i - 1].impressions as i64;
            sessions[i].time = sessions[i].time.max(end + 1);
        }
    }
    // What is pushed behind the last day.
    let end = shape.start + shape.days * DAY;
    for sessions in &mut all {
        let mut latest = end;
        for session in sessions.iter_mut().rev() {
            session.time = session.time.min(latest - PACE * session.impressions as i64 - 1);
            latest = session.time;
        }
    }
    all
}

/// `n` users of a scenario, mostly among the first `wide`, who are those of the widest one.
fn members(users: usize, wide: usize, n: usize, widest: bool, r: &mut impl rand::Rng) -> Vec<usize> {
    if widest {
        return (0..n).collect();
    }
    let mut taken = vec![false; users];
    let mut members = Vec::with_capacity(n);
    while members.len() < n {
        let among = if r.random::<f64>() < OVERLAP { 0..wide } else { wide..users.max(wide + 1) };
        let user = r.random_range(among).min(users - 1);
        // Where one group is used up the other one fills in.
        if !std::mem::replace(&mut taken[user], true) {
            members.push(user);
        }
    }
    members
}

/// Users with few clicks before the log: of the scenarios where their share is known, that share, taken first from those who are in
/// few other scenarios.
pub(super) fn inactive(shape: &Shape, plan: &[Vec<Session>], seed: u64) -> Vec<bool> {
    let visits = |user: usize, scenario: u16| plan[user].iter().any(|s| s.scenario == scenario);
    let breadth = |user: usize| (0..shape.sizes.len()).filter(|s| visits(user, *s as u16)).count();
    let mut inactive = vec![false; plan.len()];
    for (i, (scenario, share)) in shape.earlier.few.iter().enumerate() {
        let r = &mut rng(seed, Stream::Users, 100 + u64::from(*scenario));
        let members: Vec<usize> = (0..plan.len()).filter(|user| visits(*user, *scenario)).collect();
        let wanted = (share * members.len() as f64).round() as usize;
        let missing = wanted.saturating_sub(members.iter().filter(|user| inactive[**user]).count());
        // Those of a scenario that is done already would change its share.
        let done = &shape.earlier.few[..i];
        let free =
            |user: &usize| !inactive[*user] && done.iter().all(|(scenario, _)| !visits(*user, *scenario));
        let mut free: Vec<(usize, u64, usize)> =
            members.into_iter().filter(free).map(|user| (breadth(user), r.random(), user)).collect();
        free.sort_unstable();
        free.iter().take(missing).for_each(|(.., user)| inactive[*user] = true);
    }
    inactive
}
