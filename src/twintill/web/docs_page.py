"""/docs: the API's page, written on the server from the OpenAPI document: no script, no CDN."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())
