"""`hpc track migrate`: the tables of this version."""

from __future__ import annotations

from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb


@verb("migrate", "hpc track migrate --dry-run", "hpc track migrate --json", changes=True)
def migrate(talk: Talk) -> int:
    """Bring the tracker's database to the tables of this version.

    Whatever opens the database does so, too; before an upgrade this tries it by itself.
    """
    from hpcshell.jobs.surroundings import configured, here, working_directory
    from hpcshell.track.store.migrating import NEWEST
    from hpcshell.track.store.opening import open_store, url_of, version_of

    url = url_of(configured(working_directory()).settings.track.url, here())
    before = version_of(url)
    if not talk.dry_run:
        open_store(url).close()
    if talk.json:
        talk.document(
            {"schema": SCHEMA, "dry_run": talk.dry_run, "version": before, "newest": NEWEST}
        )
    elif talk.quiet:
        talk.data(NEWEST)
    elif before == NEWEST:
        talk.data(f"the database has version {NEWEST}, the newest")
    else:
        verb = "would go" if talk.dry_run else "went"
        talk.data(f"the database {verb} from {before or 'nothing'} to version {NEWEST}")
    return 0
