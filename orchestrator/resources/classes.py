"""Which Services are ours, by their loadBalancerClass (contract 2.2). Light: the flags of every process mention it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedClasses:
    """Which Services are ours (contract 2.2): those whose loadBalancerClass is in `names`, and with `classless` those
    without one. MetalLB's single class is one name without `classless`; without a class it is `classless` alone.
    """

    names: frozenset[str] = frozenset()
    classless: bool = True

    def include(self, load_balancer_class: str | None) -> bool:
        """Whether a Service of this class is ours; None and the empty text are no class."""
        return load_balancer_class in self.names if load_balancer_class else self.classless


CLASSLESS = ServedClasses()
