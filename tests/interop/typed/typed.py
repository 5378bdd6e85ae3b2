"""What a program does with the code of `toft protocol gen --lang python`: `python typed.py WHERE`, WHERE as in typed.ts."""

import json
import sys
from datetime import datetime, timezone

from governance import GovernanceProtocol
from message import MessageProtocol
from profile import ProfileProtocol

from toft import Toft

where = json.loads(sys.argv[1])
node = Toft(url=where["url"], token=where["token"])
links = ProfileProtocol(node).link
with links.subscribe(tags={"kind": "website"}) as events:
    made = links.create({"kind": "website", "url": "https://a.example/", "name": "Home"}, tags={"kind": "website"})
    links.create({"kind": "social", "url": "https://b.example/"}, tags={"kind": "social", "network": "fediverse"}, published=True)

    got = links.get(made.record_id)
    assert got and got.tags["kind"] == "website" and got.context_id == made.context_id, got
    assert got.data()["name"] == "Home" and not got.published
    assert links.get("bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") is None
    assert ProfileProtocol(node).profile.get(made.record_id) is None, "a link is no profile"

    assert made.record_id in [record.record_id for record in links.query(tags={"kind": "website"}).records]
    assert links.query(tags={"network": {"startsWith": "fedi"}}).records
    assert not links.query(created={"to": datetime.fromtimestamp(0, timezone.utc)}).records
    page = links.query(limit=1)
    assert len(page.records) == 1 and links.query(limit=1, cursor=page.cursor).records

    links.update(made, tags={"kind": "website", "network": "web"})
    links.update(made.record_id, data={"kind": "website", "url": "https://c.example/"})
    now = links.get(made.record_id)
    assert now and now.tags.get("network") == "web" and now.data()["url"] == "https://c.example/"
    links.delete(made)
    assert links.get(made.record_id) is None
    told = [next(events) for _ in range(4)]
    assert all(event.written and event.written.record_id == made.record_id for event in told[:3]), told
    assert told[3].deleted == made.record_id, told

owner = ProfileProtocol(node).profile.create({"name": "Alice"})
avatars = ProfileProtocol(node).profile_avatar
avatars.create(bytes(900_000), parent=owner, data_format="image/png")
(avatar,) = avatars.query(parent=owner).records
assert avatar.data_format == "image/png" and avatar.data() == bytes(900_000)

chat = MessageProtocol(node)
one, other = (chat.thread.create({"name": "A"}, tags={"kind": "direct"}) for _ in range(2))
chat.thread_message.create({"content": "Good morning."}, parent=one)
chat.thread_message.create({"content": "Elsewhere"}, parent=other)
assert [record.data()["content"] for record in chat.thread_message.query(parent=one).records] == ["Good morning."]
chat.thread.delete(one, prune=True)
assert not chat.thread_message.query(parent=one).records

votes = GovernanceProtocol(node)
proposal = votes.proposal.create(
    {
        "dateOpens": "2026-01-01T00:00:00.000000Z",
        "dateCloses": "2026-02-01T00:00:00.000000Z",
        "kind": "text",
        "name": "A",
        "text": "B",
    },
    tags={"kind": "text", "status": "open"},
)
for weight in (1, 5, 9):
    votes.proposal_ballot.create({"choice": "for"}, parent=proposal, tags={"choice": "for", "weight": weight})
heavy = votes.proposal_ballot.query(parent=proposal, tags={"weight": {"gte": 5}}).records
assert sorted(record.tags.get("weight", 0) for record in heavy) == [5, 9], heavy
print("done")
