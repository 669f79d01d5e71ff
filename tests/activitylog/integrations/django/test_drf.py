"""Django REST framework and its ways to know who asks: with real tokens, through the whole stack."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import include, path
from rest_framework import routers, serializers, viewsets
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.authtoken.models import Token
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.tokens import AccessToken
from rest_framework_simplejwt.views import TokenObtainPairView

import activitylog
from activitylog.integrations.http import bind_request
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.project.models import Conversation

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Service:
    """A caller that is no user of Django's."""

    is_authenticated = True
    pk = "billing"


class HeaderAuthentication(BaseAuthentication):  # type: ignore[misc]
    """Knows a service by its header."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        return (Service(), None) if request.headers.get("X-Service") == "billing" else None


class Everything(APIView):  # type: ignore[misc]
    """Whoever it is: emits in the view, after authentication."""

    authentication_classes: Any = (
        TokenAuthentication,
        JWTAuthentication,
        HeaderAuthentication,
        BasicAuthentication,
        SessionAuthentication,
    )
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        activitylog.emit("report.opened")
        return Response({"user": str(request.user)})

    post = get


class Stateless(Everything):
    """Believes the token, and asks no database."""

    authentication_classes = (JWTStatelessUserAuthentication,)


class Members(Everything):
    """For those who are known only."""

    permission_classes = (IsAuthenticated,)


@api_view(["GET"])
@authentication_classes([])
@permission_classes([AllowAny])
def by_hand(request: Request) -> Response:
    """Checks a header by itself, in the view."""
    activitylog.emit("key.asked")
    if request.headers.get("X-Key") == "k-1":
        bind_request(actor=("api_key", "k-1"), tenant="acme")
    activitylog.emit("report.opened")
    return Response({})


class ConversationSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    """A title."""

    class Meta:
        model = Conversation
        fields = ("id", "title")


class Conversations(viewsets.ModelViewSet):  # type: ignore[misc]
    """A view set, whose routes a router makes."""

    queryset = Conversation.objects.all()
    serializer_class = ConversationSerializer
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def perform_create(self, serializer: Any) -> None:
        activitylog.emit("conversation.created", object=serializer.save())


router = routers.DefaultRouter()
router.register("conversations", Conversations)

urlpatterns = [
    path("everything/", Everything.as_view()),
    path("stateless/", Stateless.as_view()),
    path("members/", Members.as_view()),
    path("by-hand/", by_hand),
    path("token/", TokenObtainPairView.as_view()),
    path("api/", include(router.urls)),
]


@pytest.fixture
def ada(db: None) -> User:
    """Somebody who can log in."""
    return User.objects.create_user("ada", password="lovelace")


@pytest.fixture
def api() -> APIClient:
    """Sends JSON."""
    return APIClient()


class TestWhoAsks:
    def test_a_token(self, api: APIClient, activity: CapturedActivities, ada: User) -> None:
        """TokenAuthentication, with a token of the database."""
        token = Token.objects.create(user=ada)
        api.get("/everything/", HTTP_AUTHORIZATION=f"Token {token.key}")
        event = activity.one("report.opened", actor=f"user:{ada.pk}")
        assert token.key not in str(event.attributes)

    def test_a_jwt(self, api: APIClient, activity: CapturedActivities, ada: User) -> None:
        """A JSON web token, got from the API itself."""
        answer = api.post("/token/", {"username": "ada", "password": "lovelace"}).json()
        activity.clear()
        api.get("/members/", HTTP_AUTHORIZATION=f"Bearer {answer['access']}")
        activity.one("report.opened", actor=f"user:{ada.pk}")

    def test_a_jwt_alone(
        self, api: APIClient, activity: CapturedActivities, ada: User, django_assert_num_queries: Any
    ) -> None:
        """Without a database, neither theirs nor ours."""
        with django_assert_num_queries(0):
            api.get("/stateless/", HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(ada)}")
        activity.one("report.opened", actor=f"user:{ada.pk}")

    def test_a_password(self, api: APIClient, activity: CapturedActivities, ada: User) -> None:
        """BasicAuthentication, which is no login."""
        api.get("/everything/", HTTP_AUTHORIZATION="Basic YWRhOmxvdmVsYWNl")
        assert activity.names == ["report.opened"]
        activity.one("report.opened", actor=f"user:{ada.pk}")

    def test_a_session(self, api: APIClient, activity: CapturedActivities, ada: User) -> None:
        """SessionAuthentication."""
        api.force_login(ada)
        api.get("/everything/")
        activity.one("report.opened", actor=f"user:{ada.pk}")

    def test_a_forced_user(self, api: APIClient, activity: CapturedActivities, ada: User) -> None:
        """``force_authenticate``, as tests of APIs have it."""
        api.force_authenticate(ada)
        api.get("/members/")
        activity.one("report.opened", actor=f"user:{ada.pk}")

    def test_a_class_of_one_s_own(self, api: APIClient, activity: CapturedActivities) -> None:
        """Whatever the class says is who asks: here no user of Django's."""
        api.get("/everything/", HTTP_X_SERVICE="billing")
        activity.one("report.opened", actor="user:billing")

    def test_a_view_that_checks_by_itself(self, api: APIClient, activity: CapturedActivities) -> None:
        """It says so by ``bind_request``; events before that have no actor."""
        api.get("/by-hand/", HTTP_X_KEY="k-1")
        assert [(event.name, event.actor) for event in activity.events] == [
            ("key.asked", ""),
            ("report.opened", "api_key:k-1"),
        ]

    def test_nobody(self, api: APIClient, activity: CapturedActivities) -> None:
        """Anonymous is no actor."""
        api.get("/everything/")
        assert activity.one("report.opened").actor == ""

    def test_a_token_and_the_session_of_somebody_else(
        self, api: APIClient, activity: CapturedActivities, ada: User
    ) -> None:
        """Who is authenticated counts, not whose cookie came along."""
        api.force_login(User.objects.create_user("bob"))
        api.get("/everything/", HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=ada).key}")
        activity.one("report.opened", actor=f"user:{ada.pk}")


class TestRefusals:
    @pytest.mark.parametrize("headers", [{}, {"HTTP_AUTHORIZATION": "Token no-such-token"}])
    def test_unknown(
        self, api: APIClient, activity: CapturedActivities, settings: Any, headers: dict[str, str]
    ) -> None:
        """Nobody, and the request was denied."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "request_event": "request.done"}
        assert api.get("/members/", **headers).status_code == 401
        event = activity.one("request.done", outcome="denied", **{"http.response.status_code": 401})
        assert event.actor == ""

    def test_a_password_that_is_wrong_without_the_middleware(
        self, api: APIClient, activity: CapturedActivities, ada: User, settings: Any
    ) -> None:
        """The signal's request is one of the framework, and says what it can."""
        settings.MIDDLEWARE = []
        assert api.post("/token/", {"username": "ada", "password": "wrong"}).status_code == 401
        assert activity.one("user.login_failed").attributes["client.address"] == "127.0.0.1"

    def test_a_password_that_is_wrong(self, api: APIClient, activity: CapturedActivities, ada: User) -> None:
        """Who asks for a token with a wrong password fails to log in."""
        assert api.post("/token/", {"username": "ada", "password": "wrong"}).status_code == 401
        event = activity.one("user.login_failed", outcome="failure", **{"user.name": "ada"})
        assert event.attributes["http.route"] == "token/"
        assert "wrong" not in str(event.attributes)


def test_routes_of_a_router(api: APIClient, activity: CapturedActivities, ada: User) -> None:
    """The route has the pattern, and the object is the instance that was created."""
    api.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=ada).key}")
    created = api.post("/api/conversations/", {"title": "general"}).json()
    event = activity.one(
        "conversation.created", actor=f"user:{ada.pk}", object=f"chat.conversation:{created['id']}"
    )
    assert event.attributes["http.route"] == "api/conversations/$"


def test_hooks(api: APIClient, activity: CapturedActivities, settings: Any) -> None:
    """Hooks get Django's request, not that of the framework."""
    settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "tenant": lambda request: type(request).__name__}
    api.get("/everything/")
    assert activity.one("report.opened").attributes["activity.tenant.id"] == "WSGIRequest"
