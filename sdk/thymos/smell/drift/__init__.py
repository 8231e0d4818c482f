"""The same odour on an older or another sensor: drift, transfer, and when to calibrate again.

Everything here takes rows of features (`log_features` of what the nose gave), learns on a labelled
*source* and works on a *target*; docs/drift.md compares the methods and says where each is from.
"""

from thymos.smell.drift.adaptive import AdaptiveClassifier, CorrectedClassifier
from thymos.smell.drift.alignment import SEVERAL, MixtureAlignment
from thymos.smell.drift.base import UNLABELLED, Classifier, Correction, log_features
from thymos.smell.drift.directions import (
    CommonDirections,
    ComponentCorrection,
    ConcentrationInvariance,
    OrthogonalSignalCorrection,
)
from thymos.smell.drift.discriminant import Discriminant, SoftmaxRegression
from thymos.smell.drift.guard import DriftGuard, GuardState
from thymos.smell.drift.moments import OnlineStandardizer, WindowStandardizer
from thymos.smell.drift.online import OnlineDriftClassifier, Said
from thymos.smell.drift.selftraining import SelfTraining, TrustVote
from thymos.smell.drift.transfer import (
    Coral,
    DirectStandardization,
    PiecewiseDirectStandardization,
    SubspaceAlignment,
)

__all__ = [
    "SEVERAL",
    "UNLABELLED",
    "AdaptiveClassifier",
    "Classifier",
    "CommonDirections",
    "ComponentCorrection",
    "ConcentrationInvariance",
    "Coral",
    "CorrectedClassifier",
    "Correction",
    "DirectStandardization",
    "Discriminant",
    "DriftGuard",
    "GuardState",
    "MixtureAlignment",
    "OnlineDriftClassifier",
    "OnlineStandardizer",
    "OrthogonalSignalCorrection",
    "PiecewiseDirectStandardization",
    "Said",
    "SelfTraining",
    "SoftmaxRegression",
    "SubspaceAlignment",
    "TrustVote",
    "WindowStandardizer",
    "log_features",
]
