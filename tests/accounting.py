"""What a memory does not account for: for tests in which every frame, one each `step_s`, was worth keeping."""

from store.episodic import EpisodicStore


def unaccounted(store: EpisodicStore, step_s: float = 1.0) -> list[tuple[float, float]]:
    """The stretches of ended sessions, in UTC seconds, that are neither between two keyframes nor in a gap."""
    left, slack_s = [], 0.001
    for session in store.sessions():
        assert session.ended_at is not None
        times = [keyframe.captured_at for keyframe in store.keyframes_of_session(session.id)]
        known = [(at, later) for at, later in zip(times, times[1:], strict=False) if later - at <= step_s + slack_s]
        known += [(gap.started_at, gap.ended_at) for gap in store.gaps() if gap.session_id == session.id]
        known_until = session.started_at
        for started_at, ended_at in [*sorted(known), (session.ended_at, session.ended_at)]:
            if started_at > known_until + slack_s:
                left.append((known_until, started_at))
            known_until = max(known_until, ended_at)
    return left
