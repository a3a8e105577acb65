"""What `kubectl explain` says about every kind and field of the CRDs.

Apart from the structs, so that these stay readable; a test compares the names. The text of a struct stands under the
empty name; a field whose type is a struct may have no text of its own and then shows that one. Ours begin "Ferrule:".
"""

from collections.abc import Mapping

from orchestrator.resources import extensions, metallb
from orchestrator.resources.meta import Condition, KubeStruct

Texts = Mapping[str, str]

_SELECTED_NODES = (
    "Restricts this to nodes whose labels match one of these selectors. Absent or empty: every node. Several selectors "
    "are alternatives."
)
_POOLS = "Names of the IPAddressPools whose addresses this is about. With neither names nor selectors: every pool."
_POOL_SELECTORS = (
    "Selectors on the labels of IPAddressPools; a pool that matches one of them counts as if it were named."
)
_SERVICE_SELECTORS = (
    "Restricts this to Services whose labels match one of these selectors. Absent or empty: every Service that has an "
    "address from the pools."
)
_UNUSED = "Not used."
_ACCEPTED = "Whether this is in use."
_CONDITIONS = "Accepted says whether this is in use as it stands, and if not, why and what is used instead."
_NAMESPACE_SELECTORS = "Selectors on labels of namespaces; one that matches counts as if it were named. Alternatives."
_SESSION_KEY = "Password of the session (TCP MD5, RFC 2385), readable by all who may read this object."
_HOLD_TIME = (
    'Time without a message after which the session is given up, such as "90s". 0s (no limit) or at least 3s, in whole '
    "seconds; the smaller of both ends' values counts."
)
_KEEPALIVE_TIME = 'Time between keepalive messages, such as "30s"; at most the hold time, usually a third of it.'
_ROUTER_ID = "BGP identifier of our end, written as an IPv4 address. Absent: the node's IPv4 address, else one derived from its name."
_SOURCE_ADDRESS = "Address of the node that the session comes from. Absent: as the node's routing decides."
_BFD_PROFILE = "Name of a BFDProfile. With one, BFD watches the peer and ends the session as soon as it is gone."
_MULTI_HOP = "Whether the peer is more than one hop away; without it an external peer must be directly connected."

TEXTS: Mapping[type[KubeStruct], Texts] = {
    # --- selectors ----------------------------------------------------------------------------------------------
    metallb.LabelSelector: {
        "": "Matches labels if all of its parts do. An empty selector matches everything.",
        "matchLabels": "Labels that must be there with exactly these values.",
        "matchExpressions": "Conditions on labels, all of which must hold.",
    },
    metallb.LabelSelectorRequirement: {
        "": "One condition on one label.",
        "key": "Name of the label.",
        "operator": "In or NotIn (compare with values), Exists or DoesNotExist (look at the key only).",
        "values": "Values for In and NotIn, at least one; none for the other operators.",
    },
    metallb.LegacyNodeSelector: {
        "": "Matches labels if all of its parts do. An empty selector matches every node.",
        "matchLabels": "Labels that must be there with exactly these values.",
        "matchExpressions": "Conditions on labels, all of which must hold.",
    },
    metallb.LegacyNodeSelectorRequirement: {
        "": "One condition on one label.",
        "key": "Name of the label.",
        "operator": "In or NotIn (compare with values), Exists or DoesNotExist (look at the key only).",
        "values": "Values to compare with, at least one.",
    },
    # --- pools --------------------------------------------------------------------------------------------------
    metallb.IPAddressPool: {
        "": "Addresses that Services of type LoadBalancer may get. How they are announced is up to L2Advertisements and "
        "BGPAdvertisements that name the pool.",
        "spec": "The addresses and who may have them.",
        "status": "How much of the pool is in use.",
    },
    metallb.IPAddressPoolSpec: {
        "addresses": 'Ranges of addresses, IPv4 and IPv6: prefixes ("192.0.2.0/24") or first and last address '
        '("192.0.2.10-192.0.2.20"). Pools must not overlap.',
        "autoAssign": "Whether Services that ask for no pool and no address may get one of these. If false, only those "
        "that ask for this pool or for one of its addresses.",
        "avoidBuggyIPs": "Leaves out IPv4 addresses that end in .0 or .255, which some old devices drop.",
        "serviceAllocation": "Reserves the pool for some Services and orders it among pools that could serve one.",
        "draining": "Ferrule: closes the pool. Nobody gets an address of it any more, and who has one keeps it. Absent: "
        "false.",
    },
    metallb.ServiceAllocation: {
        "": "Which Services may use a pool, and how early it is tried.",
        "priority": "The pool with the lowest number above 0 is tried first; 0 or absent is tried last.",
        "namespaces": "Names of namespaces whose Services may use the pool.",
        "namespaceSelectors": "Selectors on labels of namespaces whose Services may use the pool; alternatives.",
        "serviceSelectors": "Selectors on labels of Services that may use the pool; alternatives.",
    },
    metallb.IPAddressPoolStatus: {
        "assignedIPv4": "IPv4 addresses that Services have.",
        "assignedIPv6": "IPv6 addresses that Services have.",
        "availableIPv4": "IPv4 addresses that are free.",
        "availableIPv6": "IPv6 addresses that are free.",
        "conditions": f"Ferrule: {_CONDITIONS}",
    },
    metallb.AcceptedStatus: {
        "": _ACCEPTED,
        "conditions": f"Ferrule: {_CONDITIONS}",
    },
    # --- layer 2 ------------------------------------------------------------------------------------------------
    metallb.L2Advertisement: {
        "": "Announces addresses of pools on the local network: one node at a time answers ARP and NDP for each address.",
        "spec": "Which addresses, from which nodes, on which interfaces. Empty: every address, every node, every interface.",
        "status": _ACCEPTED,
    },
    metallb.L2AdvertisementSpec: {
        "ipAddressPools": _POOLS,
        "ipAddressPoolSelectors": _POOL_SELECTORS,
        "nodeSelectors": _SELECTED_NODES,
        "interfaces": "Exact names of interfaces on which nodes answer. Absent or empty: all interfaces.",
        "serviceSelectors": _SERVICE_SELECTORS,
        "preferredNodeSelectors": "Nodes that should rather answer than others. The candidate with the highest sum of "
        "matching weights does; this never excludes a node.",
        "requireOnLink": "Ferrule: whether only nodes that have an address in the subnet of the announced one, on an "
        "interface of this advertisement, may answer for it. Absent: false.",
        "spread": 'Ferrule: which node answers when no preference decides. "hash" is the order MetalLB computes from '
        'names and address; "even" gives each node about as many addresses as the others. Absent: hash.',
    },
    metallb.PreferredNodeSelector: {
        "": "Nodes, and how much they are preferred.",
        "weight": "Added to the score of each node that the preference matches; 1 to 100.",
        "preference": "Selector on labels of nodes; an empty one matches every node.",
    },
    # --- BGP ----------------------------------------------------------------------------------------------------
    metallb.BGPAdvertisement: {
        "": "Announces addresses of pools to BGP peers, from every node that may announce them.",
        "spec": "Which addresses, to which peers, with which attributes. Empty: every address to every peer.",
        "status": _ACCEPTED,
    },
    metallb.BGPAdvertisementSpec: {
        "aggregationLength": "Length of the announced IPv4 prefixes, 1 to 32. Shorter than 32: one prefix stands for all "
        "addresses in it.",
        "aggregationLengthV6": "Length of the announced IPv6 prefixes, up to 128.",
        "localPref": "LOCAL_PREF of the announced prefixes, which internal peers see: the highest wins. 0 or absent: "
        "none is set. All advertisements of one prefix to one peer must agree.",
        "med": "Ferrule: MED (metric) of the announced prefixes: of several routes from this AS the router takes the "
        "lowest. 0 to 4294967295; absent: 0. The annotation ferrule.io/med of a Node goes before it.",
        "asPathPrepend": "Ferrule: how many times the AS number is added to the AS path that external peers see, 0 to "
        "10: the longer path loses. The annotation ferrule.io/as-path-prepend of a Node adds to it.",
        "weight": 'Ferrule: how routers share traffic among nodes. "equal" or absent: evenly. "endpoints": by the number of '
        "ready endpoints on each node, which the link bandwidth extended community tells them.",
        "communities": 'Communities attached to the prefixes: "65000:100", "large:65000:1:100", a name that a '
        'Community object defines, or a well-known one such as "no-export".',
        "ipAddressPools": _POOLS,
        "ipAddressPoolSelectors": _POOL_SELECTORS,
        "nodeSelectors": _SELECTED_NODES,
        "peers": "Names of the BGPPeers to announce to. Absent or empty: all of them.",
        "serviceSelectors": _SERVICE_SELECTORS + " Only with aggregationLength 32 and aggregationLengthV6 128.",
    },
    metallb.Community: {
        "": "Names for BGP communities, for use in BGPAdvertisements.",
        "spec": "The names.",
        "status": _ACCEPTED,
    },
    metallb.CommunitySpec: {"communities": "One entry for each name. A name must not be defined twice."},
    metallb.CommunityAlias: {
        "": "A name for a community.",
        "name": "What BGPAdvertisements write.",
        "value": 'What is announced: "65000:100", "large:65000:1:100", or a well-known name such as "no-export".',
    },
    metallb.BGPPeer: {
        "": "A router that nodes keep a BGP session with.",
        "spec": "Which router, and how to speak with it.",
        "status": _ACCEPTED,
    },
    metallb.BGPPeerSpec: {
        "myASN": "AS number of our end, 1 to 4294967295.",
        "peerASN": "AS number that the peer must have. Either this or dynamicASN.",
        "localASN": "AS number shown to this peer instead of myASN.",
        "dynamicASN": 'Accepts whatever AS number the peer has, as long as it is the same as myASN ("internal") or '
        'another one ("external"). Either this or peerASN.',
        "peerAddress": "Address of the peer. Either this or interface.",
        "interface": "Name of the node's interface at whose other end the peer is (unnumbered BGP, by IPv6 link-local "
        "addresses). Either this or peerAddress.",
        "sourceAddress": _SOURCE_ADDRESS,
        "peerPort": "TCP port of the peer, 1 to 16384.",
        "holdTime": _HOLD_TIME,
        "keepaliveTime": _KEEPALIVE_TIME,
        "connectTime": 'Time between attempts to connect, whole seconds from "1s" to "65535s".',
        "routerID": _ROUTER_ID,
        "nodeSelectors": _SELECTED_NODES,
        "password": _SESSION_KEY + " A Secret is better: passwordSecret.",
        "passwordSecret": "Secret with the password of the session (TCP MD5). Either this or password.",
        "bfdProfile": _BFD_PROFILE,
        "enableGracefulRestart": "Whether the peer keeps our routes while our BGP daemon restarts (RFC 4724). Cannot be "
        "changed later: make a new peer instead.",
        "ebgpMultiHop": _MULTI_HOP,
        "vrf": "Name of the node's VRF that the session runs in.",
        "disableMP": "Deprecated and without effect; use dualStackAddressFamily.",
        "dualStackAddressFamily": "Whether the session carries IPv4 and IPv6 prefixes, whichever family it runs over. "
        "If false, only the family of the session.",
    },
    metallb.SecretReference: {
        "": "A Secret of type kubernetes.io/basic-auth, in the namespace where the speakers run.",
        "name": "Name of the Secret.",
        "namespace": "Has no effect: the Secret is looked up in the namespace where the speakers run.",
        "key": "Ferrule: key in the Secret that has the password. Absent: password.",
    },
    metallb.BGPPeerV1Beta1: {
        "": "A router that nodes keep a BGP session with. Deprecated version: use v1beta2.",
        "spec": "Which router, and how to speak with it.",
        "status": _ACCEPTED,
    },
    metallb.BGPPeerV1Beta1Spec: {
        "myASN": "AS number of our end, 1 to 4294967295.",
        "peerASN": "AS number that the peer must have.",
        "peerAddress": "Address of the peer.",
        "sourceAddress": _SOURCE_ADDRESS,
        "peerPort": "TCP port of the peer; 0 or absent: 179.",
        "holdTime": _HOLD_TIME,
        "keepaliveTime": _KEEPALIVE_TIME,
        "routerID": _ROUTER_ID,
        "nodeSelectors": _SELECTED_NODES,
        "password": _SESSION_KEY,
        "bfdProfile": _BFD_PROFILE,
        "ebgpMultiHop": _MULTI_HOP,
    },
    metallb.BFDProfile: {
        "": "Parameters of BFD (RFC 5880), for BGPPeers that name this profile.",
        "spec": "Times in milliseconds. What is absent is as FRR has it.",
        "status": _ACCEPTED,
    },
    metallb.BFDProfileSpec: {
        "receiveInterval": "Shortest time between packets that we are able to receive, 10 to 60000 ms. Absent: 300.",
        "transmitInterval": "Shortest time between packets that we like to send, 10 to 60000 ms. Absent: 300.",
        "detectMultiplier": "Number of packets in a row whose loss means that the peer is gone, 2 to 255. Absent: 3.",
        "echoInterval": "Shortest time between echo packets, sent and received, 10 to 60000 ms. Absent: 50.",
        "echoMode": "Whether echo packets are sent, which the peer returns in its data path. Not over several hops.",
        "passiveMode": "Whether we wait for the peer to begin instead of sending packets ourselves.",
        "minimumTtl": "Lowest TTL that packets from a peer several hops away may arrive with, 1 to 254.",
    },
    # --- statuses -----------------------------------------------------------------------------------------------
    metallb.ServiceL2Status: {
        "": "Says which node answers for the addresses of a Service. Written by that node's speaker, for reading only.",
        "spec": _UNUSED,
        "status": "What the node does.",
    },
    metallb.ServiceL2StatusStatus: {
        "node": "Name of the node that answers.",
        "serviceName": "Name of the Service.",
        "serviceNamespace": "Namespace of the Service.",
        "interfaces": "Interfaces on which it answers. Empty: all.",
    },
    metallb.InterfaceInfo: {
        "": "An interface of the node.",
        "name": "Its name.",
    },
    metallb.ServiceBGPStatus: {
        "": "Says to which peers a node announces a Service. Written by that node's speaker, for reading only.",
        "spec": _UNUSED,
        "status": "What the node does.",
    },
    metallb.ServiceBGPStatusStatus: {
        "node": "Name of the node that announces.",
        "serviceName": "Name of the Service.",
        "serviceNamespace": "Namespace of the Service.",
        "peers": "Names of the BGPPeers that it announces to, sorted.",
    },
    metallb.ConfigurationState: {
        "": "Says whether a component can use the configuration. There is one for the controller and one for each speaker.",
        "status": "What the component found.",
    },
    metallb.ConfigurationStateStatus: {
        "result": "Valid, Invalid, or Unknown while the component has not read everything yet.",
        "errorSummary": "What is wrong, empty if nothing is.",
        "conditions": "What each part of the component found.",
    },
    Condition: {
        "": "One aspect of the state.",
        "type": "Which aspect.",
        "status": "Whether it holds: True, False or Unknown.",
        "reason": "Why, in one word for programs.",
        "message": "Why, in a sentence for people; may be empty.",
        "observedGeneration": "metadata.generation of the object that this was said about.",
        "lastTransitionTime": "When status changed last.",
    },
    # --- ferrule.io ---------------------------------------------------------------------------------------------
    extensions.SpeakerState: {
        "": "Ferrule: what other nodes and the controller need to know about a node's speaker. Written by the speaker.",
        "spec": "What the speaker says about itself and its node.",
    },
    extensions.SpeakerStateSpec: {
        "node": "Name of the node.",
        "instance": "Different after each start of the speaker.",
        "version": "Version of Ferrule that runs.",
        "meshAddresses": "Addresses at which the node hears the heartbeats of the others.",
        "interfaces": "Interfaces that may answer for addresses.",
        "draining": "Whether the speaker ends and the node should not be given addresses.",
        "drain": "How far the drain of the node is.",
        "announcedAddresses": "Number of addresses that the node answers for.",
        "announcedPrefixes": "Number of prefixes that the node announces by BGP.",
        "weights": 'How exactly weights by endpoints are told to routers: "fine", "coarse" to save route policies, or '
        '"beyondLimit" if they are too many even so.',
        "conflicts": "Addresses that somebody else uses as well, sorted.",
        "dampened": "Prefixes that the node does not announce for a while because they come and go, sorted; at most 100.",
        "nodeNotReady": "Whether the node announces nothing by BGP because its Node is NotReady.",
        "sessions": "BGP sessions of the node, sorted by peer.",
    },
    extensions.PeerSession: {
        "": "How the BGP session of one BGPPeer is on the node.",
        "peer": "Name of the BGPPeer.",
        "neighbor": "Address of the router, or the interface of an unnumbered session.",
        "vrf": 'VRF of the session, "default" for none.',
        "established": "Whether it is up.",
        "reason": "How it is, in one word for programs.",
        "message": "Why it is not up, in a sentence for people.",
        "since": "When it became so.",
    },
    extensions.DrainReport: {
        "": "How far the drain of a node is.",
        "stage": "Empty: not drained. marked: BGP routes carry GRACEFUL_SHUTDOWN. withdrawn: they are gone but for those held back.",
        "forced": "Whether nothing is held back.",
        "by": "What asked for the drain: an annotation, a taint, the shutdown of the node.",
        "since": "When it began.",
        "heldBack": "The first Services that the node goes on announcing because no other node would, as namespace/name.",
        "heldBackCount": "How many these are.",
    },
    extensions.SpeakerInterface: {
        "": "An interface that may answer for addresses.",
        "name": "Its name.",
        "mac": "Its hardware address.",
        "carrier": "Whether it has a link.",
        "prefixes": 'Its addresses with their length, such as "192.0.2.1/24".',
    },
    extensions.AddressConflict: {
        "": "An address that this node should answer for and that somebody else uses.",
        "address": "The address.",
        "mac": "Hardware address of the other one.",
        "interface": "Interface on which it was seen.",
        "node": "Node of this cluster that has the hardware address; empty for a stranger.",
        "action": "What the node did: defended (goes on answering), yielded (stopped), refused (did not begin).",
    },
    extensions.Failover: {
        "": "Ferrule: moves a layer-2 address to another node by hand. Deleting the object undoes it.",
        "spec": "Which address, and where it should or should not be.",
    },
    extensions.FailoverSpec: {
        "address": "The address, in its usual form: lower case, without leading zeros.",
        "to": "Name of the node that should answer, for as long as it can. Absent: any that avoid does not name.",
        "avoid": "Names of nodes that should not answer while another can.",
    },
    extensions.AddressReservation: {
        "": "Ferrule: keeps addresses of IPAddressPools for Services that need not exist yet; no other Service gets them. A "
        "Service that has one of them already keeps it.",
        "spec": "The addresses, and for whom they are: for one Service, or for those that namespaces and selectors let "
        "through.",
        "status": "Who has the addresses.",
    },
    extensions.AddressReservationSpec: {
        "addresses": 'Addresses ("192.0.2.10"), prefixes ("192.0.2.0/28") or first and last address '
        '("192.0.2.10-192.0.2.20"), IPv4 and IPv6. Reservations must not overlap.',
        "service": "The only Service that gets the addresses. Excludes namespaces and selectors.",
        "namespaces": "Names of namespaces whose Services get the addresses. With neither these nor namespaceSelectors: "
        "every namespace.",
        "namespaceSelectors": _NAMESPACE_SELECTORS,
        "serviceSelectors": "Restricts this to Services whose labels match one of these selectors. Absent or empty: every "
        "Service of the namespaces.",
    },
    extensions.ServiceReference: {
        "": "A Service, whether or not it exists.",
        "namespace": "Its namespace.",
        "name": "Its name.",
    },
    extensions.AddressReservationStatus: {
        "holders": "Reserved addresses that Services have, in order; the first 100.",
        "conditions": _CONDITIONS,
    },
    extensions.AddressHolder: {
        "": "An address and a Service that has it.",
        "address": "The address.",
        "service": "Namespace and name of the Service, with a slash between them.",
    },
    extensions.AddressQuota: {
        "": "Ferrule: limits how many addresses Services may have. Nothing is taken from a Service that has one.",
        "spec": "Whose addresses are counted, and how many there may be.",
        "status": "How many there are.",
    },
    extensions.AddressQuotaSpec: {
        "namespaces": "Names of namespaces whose Services are counted. With neither these nor namespaceSelectors: every "
        "namespace.",
        "namespaceSelectors": _NAMESPACE_SELECTORS,
        "pools": "Names of the IPAddressPools whose addresses are counted. Absent or empty: every pool.",
        "ipv4": "The most IPv4 addresses; 0 means none. One that several Services share counts once. Absent: no limit.",
        "ipv6": "The most IPv6 addresses, as ipv4.",
        "scope": '"Namespace" gives each namespace as many as the limits say; "Total" gives that to all of them together. '
        "Absent: Namespace.",
    },
    extensions.AddressQuotaStatus: {
        "usedIPv4": "Distinct IPv4 addresses that the counted Services have.",
        "usedIPv6": "Distinct IPv6 addresses that the counted Services have.",
        "namespaces": "How many each namespace has, the fullest first; at most 100.",
        "conditions": _CONDITIONS,
    },
    extensions.NamespaceUse: {
        "": "What the Services of one namespace have.",
        "namespace": "Name of the namespace.",
        "ipv4": "Distinct IPv4 addresses.",
        "ipv6": "Distinct IPv6 addresses.",
    },
}
